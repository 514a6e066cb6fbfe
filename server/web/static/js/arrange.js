// Rows of a form that can be dragged into another order. The order is in hidden fields, so that the form is kept as it
// is without a script; the buttons beside each row do the same by keyboard, and with a script without a round trip.
function number(list) {
  const rows = [...list.querySelectorAll("[data-drag-row]")];
  const places = rows.map((row) => Number(row.querySelector("[data-drag-order]").value)).sort((one, other) => one - other);
  rows.forEach((row, index) => {
    row.querySelector("[data-drag-order]").value = String(places[index]);
    const [up, down] = row.querySelectorAll("[name=move]");
    up.disabled = index === 0;
    down.disabled = index === rows.length - 1;
  });
}

function move(button) {
  const row = button.closest("[data-drag-row]");
  if (button.value.endsWith(":up")) row.previousElementSibling?.before(row);
  else row.nextElementSibling?.after(row);
  number(row.parentElement);
  if (button.disabled) row.querySelector("[name=move]:not([disabled])")?.focus();
  else button.focus();
}

for (const list of document.querySelectorAll("[data-drag-list]")) {
  let dragged = null;
  list.addEventListener("pointerdown", (event) => {
    const row = event.target.closest("[data-drag-row]");
    if (row) row.draggable = event.target.closest("[data-drag-grip]") !== null;
  });
  list.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("[data-drag-row]");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.id);
    dragged.classList.add("is-dragged");
  });
  list.addEventListener("dragover", (event) => {
    const over = event.target.closest("[data-drag-row]");
    if (!dragged || !over || over.parentElement !== list) return;
    event.preventDefault();
    const box = over.getBoundingClientRect();
    if (over !== dragged) over[event.clientY > box.top + box.height / 2 ? "after" : "before"](dragged);
  });
  list.addEventListener("drop", (event) => event.preventDefault());
  list.addEventListener("dragend", () => {
    dragged.classList.remove("is-dragged");
    dragged.draggable = false;
    dragged = null;
    number(list);
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[name=move]");
    if (!button) return;
    event.preventDefault();
    move(button);
  });
}
