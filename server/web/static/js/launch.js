// The launch form: finds hosts to choose from while somebody types, and keeps the sentence of what will happen true.
export function startLaunch(scope) {
  const form = scope.querySelector("[data-launch]");
  if (!form) return;
  const sentence = form.querySelector("[data-sentence]");
  const submit = form.querySelector("[data-launch-submit]");
  const hosts = (number) => (number === 1 ? "1 host" : `${Number(number).toLocaleString("en")} hosts`);

  const show = () => {
    const chosen = [...form.querySelectorAll('input[name="host"]:checked')];
    const groups = [...form.querySelectorAll('input[name="group"]:checked')];
    const all = groups.find((box) => "all" in box.dataset);
    const offline = all ? 0 : chosen.filter((box) => box.dataset.online !== "true").length;
    const check = form.querySelector('input[name="check"]:checked')?.value === "true";
    const where = [];
    if (all) {
      where.push(`all ${hosts(all.dataset.all)}`);
    } else {
      if (chosen.length) where.push(chosen.length === 1 ? chosen[0].dataset.name : hosts(chosen.length));
      for (const group of groups) where.push(`group ${group.dataset.name} (${hosts(group.dataset.count)})`);
    }
    const parts = where.length
      ? [`${check ? "Dry run of" : "Runs"} “${form.dataset.launch}” on ${where.join(", ")}.`]
      : ["Choose at least one host or group."];
    if (where.length) parts.push(check ? "Nothing on them is changed." : "This changes the hosts.");
    if (offline) parts.push(`${offline === 1 ? "One is" : `${offline} are`} offline and will start on return.`);
    sentence.textContent = parts.join(" ");
    submit.textContent = check ? "Start dry run" : "Start run";
  };
  form.addEventListener("change", show);
  form.addEventListener("htmx:afterSettle", show);
  show();

  // Hosts are found while one types; without the button, Enter in a field below starts the run as it says.
  form.querySelector("[data-find-button]")?.remove();
  form.querySelector("[data-find]")?.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}
