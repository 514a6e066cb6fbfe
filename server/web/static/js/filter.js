// A box that leaves only the rows of its table that hold what is typed; groups without such rows go too.
export function startFilters() {
  document.addEventListener("input", (event) => {
    const box = event.target.closest("[data-filter-rows]");
    const area = box?.closest("[data-filterable]");
    if (!area) return;
    const wanted = box.value.trim().toLowerCase();
    let left = 0;
    for (const group of area.querySelectorAll("tbody")) {
      const rows = [...group.rows].filter((row) => !row.classList.contains("row-group"));
      for (const row of rows) row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      const here = rows.filter((row) => !row.hidden).length;
      group.hidden = here === 0;
      left += here;
    }
    area.querySelector(".table-frame").hidden = left === 0;
    area.querySelector("[data-filter-none]").hidden = left > 0;
  });
}
