// The editor of a role: all or none of a group at once, whole presets, and how many permissions are chosen.
export function startPermissions(scope) {
  for (const sheet of scope.querySelectorAll("dialog[data-sheet]")) {
    // Drawn open for browsers without scripts; with them it is modal, and leaving it leaves its address too.
    sheet.close();
    sheet.showModal();
    sheet.addEventListener("cancel", (event) => {
      event.preventDefault();
      location.assign(sheet.querySelector("[data-sheet-cancel]").href);
    });
  }
  for (const form of scope.querySelectorAll("[data-permissions]")) watch(form);
}

function watch(form) {
  const boxes = [...form.querySelectorAll('input[name="permissions[]"]')];
  const counter = form.querySelector("[data-permission-count]");
  const look = () => {
    counter.textContent = String(boxes.filter((box) => box.checked).length);
    for (const group of form.querySelectorAll("[data-permission-group]")) {
      const own = boxes.filter((box) => group.contains(box));
      const all = own.every((box) => box.checked);
      const button = group.querySelector("[data-permission-all]");
      button.textContent = all ? "Deselect all" : "Select all";
      button.dataset.all = all ? "" : "1";
    }
  };
  form.addEventListener("change", look);
  form.addEventListener("click", (event) => {
    const all = event.target.closest("[data-permission-all]");
    const preset = event.target.closest("[data-preset]");
    if (!all && !preset) return;
    event.preventDefault();
    if (all) {
      const group = all.closest("[data-permission-group]");
      for (const box of boxes) if (group.contains(box)) box.checked = all.dataset.all === "1";
    } else {
      const held = new Set(preset.dataset.preset.split(" "));
      for (const box of boxes) box.checked = held.has(box.value);
    }
    look();
  });
  for (const button of form.querySelectorAll("[data-permission-all]")) button.hidden = false;
  look();
}
