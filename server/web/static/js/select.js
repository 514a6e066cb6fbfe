// Counts ticked rows for the bar under a list, and ticks all rows of the page, or a range with Shift.
export function startSelection(scope) {
  for (const bar of scope.querySelectorAll("[data-bulk-bar]")) {
    const form = bar.closest("form");
    if (!form || form.dataset.counting) continue;
    form.dataset.counting = "1";
    const boxes = () => [...form.querySelectorAll("tbody .tick input[type=checkbox]")];
    const all = form.querySelector("[data-tick-all]");
    const every = form.querySelector("[data-bulk-all]");
    let last = null;
    const show = () => {
      const ticked = boxes().filter((box) => box.checked).length;
      const noun = bar.querySelector("[data-bulk-noun]");
      const [count, word] = [String(ticked), ticked === 1 ? noun.dataset.one : noun.dataset.many];
      bar.querySelector("[data-bulk-count]").textContent = every?.checked ? every.dataset.total : count;
      noun.textContent = every?.checked ? "selected, on all pages" : `${word} selected`;
      for (const told of form.querySelectorAll("[data-bulk-told]")) {
        told.textContent = every?.checked ? every.dataset.total : `${count} ${word}`;
      }
      if (all) {
        all.checked = ticked > 0 && ticked === boxes().length;
        all.indeterminate = ticked > 0 && !all.checked;
      }
      // Whoever takes the ticks away means none, not all.
      if (every && ticked === 0) every.checked = false;
    };
    form.addEventListener("click", (event) => {
      const box = event.target.closest("tbody .tick input[type=checkbox]");
      if (!box) return;
      if (event.shiftKey && last?.isConnected) {
        const [from, to] = [boxes().indexOf(last), boxes().indexOf(box)].sort((a, b) => a - b);
        for (const one of boxes().slice(from, to + 1)) one.checked = box.checked;
      }
      last = box;
    });
    form.addEventListener("change", (event) => {
      if (event.target === all) for (const box of boxes()) box.checked = all.checked;
      if (every && event.target !== every) every.checked = false;
      show();
    });
    show();
  }
}
