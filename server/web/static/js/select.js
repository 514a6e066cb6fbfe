// Counts ticked rows for the bar under a list, and ticks all rows of the page at once.
export function startSelection(scope) {
  for (const bar of scope.querySelectorAll("[data-bulk-bar]")) {
    const form = bar.closest("form");
    if (!form || form.dataset.counting) continue;
    form.dataset.counting = "1";
    const boxes = () => [...form.querySelectorAll("tbody input[type=checkbox]")];
    const all = form.querySelector("[data-tick-all]");
    const show = () => {
      const ticked = boxes().filter((box) => box.checked).length;
      const noun = bar.querySelector("[data-bulk-noun]");
      bar.querySelector("[data-bulk-count]").textContent = String(ticked);
      noun.textContent = `${ticked === 1 ? noun.dataset.one : noun.dataset.many} selected`;
      if (all) {
        all.checked = ticked > 0 && ticked === boxes().length;
        all.indeterminate = ticked > 0 && !all.checked;
      }
    };
    form.addEventListener("change", (event) => {
      if (event.target === all) for (const box of boxes()) box.checked = all.checked;
      show();
    });
    show();
  }
}
