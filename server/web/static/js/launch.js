// The launch form: filters the hosts to choose from and keeps the sentence of what will happen true.
export function startLaunch(scope) {
  const form = scope.querySelector("[data-launch]");
  if (!form) return;
  const hostBoxes = [...form.querySelectorAll('input[name="host"]')];
  const groupBoxes = [...form.querySelectorAll('input[name="group"]')];
  const sentence = form.querySelector("[data-sentence]");
  const submit = form.querySelector("[data-launch-submit]");

  const show = () => {
    const hosts = hostBoxes.filter((box) => box.checked);
    const groups = groupBoxes.filter((box) => box.checked);
    const offline = hosts.filter((box) => box.dataset.online !== "true").length;
    const check = form.querySelector('input[name="check"]:checked')?.value === "true";
    const where = [];
    if (hosts.length) where.push(hosts.length === 1 ? hosts[0].dataset.name : `${hosts.length} hosts`);
    for (const group of groups) where.push(`group ${group.dataset.name} (${group.dataset.count})`);
    const parts = where.length
      ? [`${check ? "Dry run of" : "Runs"} “${form.dataset.launch}” on ${where.join(", ")}.`]
      : ["Choose at least one host or group."];
    if (where.length) parts.push(check ? "Nothing on them is changed." : "This changes the hosts.");
    if (offline) parts.push(`${offline === 1 ? "One is" : `${offline} are`} offline and will start on return.`);
    sentence.textContent = parts.join(" ");
    submit.textContent = check ? "Start dry run" : "Start run";
  };
  form.addEventListener("change", show);
  show();

  const filter = form.querySelector("[data-filter-targets]");
  filter?.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const row of form.querySelectorAll(".pick-list li")) {
      const box = row.querySelector("input");
      if (box) row.hidden = wanted !== "" && !box.checked && !row.textContent.toLowerCase().includes(wanted);
    }
    // A heading without a row below it says nothing.
    for (const title of form.querySelectorAll(".pick-title")) {
      let row = title.nextElementSibling;
      while (row?.hidden) row = row.nextElementSibling;
      title.hidden = !row || row.classList.contains("pick-title");
    }
  });
}
