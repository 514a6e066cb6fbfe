// Changes the theme at once; the form's post does the same for browsers without scripts.
const root = document.documentElement;
const YEAR_SECONDS = 31536000;

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-theme-form]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  const choice = event.submitter.value;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `theme=${choice}; path=/; max-age=${YEAR_SECONDS}; samesite=lax${secure}`;
  root.dataset.themeChoice = choice;
  root.dataset.bsTheme =
    choice === "auto" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : choice;
  for (const button of form.querySelectorAll("[aria-pressed]")) {
    button.setAttribute("aria-pressed", String(button === event.submitter));
  }
  form.closest("details")?.removeAttribute("open");
  form.closest("details")?.querySelector("summary")?.focus();
});
