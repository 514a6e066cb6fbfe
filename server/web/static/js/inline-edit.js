// Fields that are changed where they stand: opening one puts the cursor into it, Esc gives up; what is complete without
// this script is a form with a button.
for (const node of document.querySelectorAll("details.inline-edit")) {
  node.addEventListener("toggle", () => {
    if (!node.open) return;
    const field = node.querySelector("input:not([type=hidden]), select");
    field?.focus();
    field?.select?.();
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !node.open) return;
    node.querySelector("form").reset();
    node.open = false;
    node.querySelector("summary").focus();
  });
}

for (const form of document.querySelectorAll("form[data-save-on-leave]")) {
  let changed = false;
  form.addEventListener("change", () => { changed = true; });
  form.addEventListener("reset", () => { changed = false; });
  form.addEventListener("submit", () => { changed = false; });
  form.addEventListener("focusout", (event) => {
    if (changed && !form.contains(event.relatedTarget)) form.requestSubmit();
  });
}

for (const field of document.querySelectorAll("[data-save-on-change]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
