// Runs before the page is drawn: a person who chose "as the system" gets the system's theme without a flash.
(function boot() {
  const root = document.documentElement;
  root.dataset.scripted = "";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    if (root.dataset.themeChoice === "auto") root.dataset.bsTheme = dark.matches ? "dark" : "light";
  };
  follow();
  dark.addEventListener("change", follow);
})();
