// The end of the first set-up, step by step, with what is being done; without scripts the form does it in one.
const PATIENCE_MS = 10_000;
const PARTS = [
  ["account", "Creating admin account..."],
  ["", "Saving server URL..."],
];

export function startFinishing(scope) {
  const form = scope.querySelector("[data-finishing]");
  const shown = scope.querySelector("[data-finishing-shown]");
  if (!form || !shown) return;
  const part = (name) => shown.querySelector(`[data-finishing-${name}]`);
  const state = { at: 0, csrf: form.elements.namedItem("csrf").value, made: false };

  async function send(fields) {
    const body = new URLSearchParams({ csrf: state.csrf, link: form.elements.namedItem("link").value, ...fields });
    const answer = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const said = await answer.json().catch(() => ({}));
    if (said.csrf) state.csrf = said.csrf;
    state.made = state.made || answer.ok || Boolean(said.may_skip);
    if (!answer.ok) throw new Error(said.error ?? "The server could not do this.");
    return said;
  }

  async function run(skips = false) {
    part("failure").hidden = true;
    part("progress").hidden = false;
    try {
      for (; state.at < PARTS.length; state.at += 1) {
        const [name, words] = PARTS[state.at];
        part("action").textContent = words;
        const said = await send({ part: name, ...(skips && !name ? { skip: "1" } : {}) });
        if (said.location) location.assign(said.location);
      }
    } catch (error) {
      part("text").textContent =
        error.name === "TimeoutError" ? "The server takes longer than 10 seconds." : error.message;
      part("skip").hidden = !state.made;
      part("failure").hidden = false;
      part("progress").hidden = true;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.hidden = true;
    shown.hidden = false;
    run();
  });
  part("retry").addEventListener("click", () => run());
  part("skip").addEventListener("click", () => run(true));
}
