// Dialogs open as popovers without scripts; with them they are modal: focus stays inside and comes back afterwards.
export function startDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      event.preventDefault();
      const dialog = document.getElementById(opener.dataset.opens);
      if (dialog.matches(":popover-open")) dialog.hidePopover();
      dialog.showModal();
      dialog.addEventListener("close", () => opener.focus(), { once: true });
      return;
    }
    const closer = event.target.closest("[data-closes]");
    const modal = closer?.closest("dialog[open]:modal") ?? (event.target.matches?.("dialog:modal") ? event.target : null);
    if (!modal) return;
    if (closer || outside(modal, event)) {
      event.preventDefault();
      modal.close();
    }
  });
}

function outside(dialog, event) {
  const box = dialog.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}
