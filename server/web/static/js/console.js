// Terminal output follows its end until the person scrolls up, and again when they come back to the end.
const NEAR_PX = 24;
const SHOWN_CHUNKS = 20000;

const atEnd = (text) => text.scrollHeight - text.scrollTop - text.clientHeight < NEAR_PX;

export function startConsoles(scope) {
  for (const section of scope.querySelectorAll("[data-console]")) {
    const text = section.querySelector(".console-text");
    const follow = section.querySelector("[data-console-follow]");
    const live = text.getAttribute("aria-busy") === "true";
    follow.checked = live;
    follow.closest(".console-follow").hidden = !live;
    if (live) text.scrollTop = text.scrollHeight;
    text.addEventListener("scroll", () => {
      follow.checked = atEnd(text);
    }, { passive: true });
    follow.addEventListener("change", () => {
      if (follow.checked) text.scrollTop = text.scrollHeight;
    });
  }
}

/** Put nodes at the end of the console `text`; very long output loses its oldest lines on screen (the download has all). */
export function extend(text, nodes) {
  const follow = text.closest("[data-console]")?.querySelector("[data-console-follow]")?.checked ?? true;
  text.append(...nodes);
  while (text.childElementCount > SHOWN_CHUNKS) text.firstElementChild.remove();
  if (follow) text.scrollTop = text.scrollHeight;
}
