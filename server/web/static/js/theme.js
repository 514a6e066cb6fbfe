// Changes theme and density at once; the form's post does the same for browsers without scripts.
const root = document.documentElement;
const YEAR_SECONDS = 31536000;


document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-theme-form]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  const { name, value: choice } = event.submitter;
  const secure = location.protocol === "https:" ? "; secure" : "";
  // The server keeps it with the person, so that it follows them to other browsers.
  const chosen = new FormData(form);
  chosen.append(name, choice);
  fetch(form.action, { method: "POST", body: chosen, redirect: "manual", keepalive: true }).catch(() => {});
  document.cookie = `${name}=${choice}; path=/; max-age=${YEAR_SECONDS}; samesite=lax${secure}`;
  if (name === "theme") {
    root.dataset.themeChoice = choice;
    root.dataset.bsTheme =
      choice === "auto" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : choice;
  } else {
    root.dataset.density = choice;
  }
  for (const button of form.querySelectorAll(`[name=${name}]`)) {
    button.setAttribute("aria-pressed", String(button === event.submitter));
  }
  form.closest("details")?.removeAttribute("open");
  form.closest("details")?.querySelector("summary")?.focus();
});
