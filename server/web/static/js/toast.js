// Short messages in the corner, and the close buttons of messages the server wrote.
const LIFE_MS = 6000;
const ICONS = { good: "circle-check", attention: "alert-triangle", bad: "alert-circle", neutral: "info-circle" };

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("width", "18");
  svg.setAttribute("height", "18");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `/static/vendor/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

function closeButton(notice) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "notice-close";
  button.setAttribute("aria-label", "Dismiss");
  button.append(icon("x"));
  button.addEventListener("click", () => notice.remove());
  return button;
}

/** Show `text`; a bad message stays until it is dismissed. */
export function toast(text, state = "neutral", life = LIFE_MS) {
  const notice = document.createElement("div");
  notice.className = `notice is-${state}`;
  const words = document.createElement("p");
  words.textContent = text;
  notice.append(icon(ICONS[state]), words, closeButton(notice));
  document.getElementById("toasts").append(notice);
  if (state !== "bad") setTimeout(() => notice.remove(), life);
}

export function startToasts() {
  for (const notice of document.querySelectorAll("[data-dismissible]")) notice.append(closeButton(notice));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-toast]");
    if (button) toast(button.dataset.toastText, button.dataset.toast);
  });
}
