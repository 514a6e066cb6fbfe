// The palette (Ctrl K): every page and action of the person, and what the search finds, with the keyboard alone.
const WAIT_MS = 120;

export function startPalette() {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const box = dialog.querySelector("[data-palette-words]");
  const list = dialog.querySelector("[role=listbox]");
  const found = dialog.querySelector("[data-palette-found]");
  const none = dialog.querySelector("[data-palette-none]");
  let timer = null;
  let asked = null;
  let came = null;

  const all = () => [...list.querySelectorAll("[role=option]")];
  const seen = () => all().filter((one) => !one.hidden);

  function choose(option) {
    for (const one of all()) one.setAttribute("aria-selected", String(one === option));
    box.setAttribute("aria-activedescendant", option?.id ?? "");
    option?.scrollIntoView({ block: "nearest" });
  }

  function narrow() {
    const words = box.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    for (const option of list.querySelectorAll("[data-palette-fixed] [role=option]")) {
      const text = option.dataset.words.toLowerCase();
      option.hidden = !words.every((word) => text.includes(word));
    }
    for (const group of list.querySelectorAll("[role=group]")) group.hidden = !group.querySelector("[role=option]:not([hidden])");
    none.hidden = seen().length > 0 || box.value.trim() === "";
    choose(seen()[0]);
  }

  async function search() {
    const words = box.value.trim();
    asked?.abort();
    if (words.length < 2) {
      found.replaceChildren();
      narrow();
      return;
    }
    asked = new AbortController();
    try {
      const answer = await fetch(`${dialog.dataset.url}?q=${encodeURIComponent(words)}`, { signal: asked.signal, headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      found.innerHTML = await answer.text();
      narrow();
    } catch (error) {
      if (error.name !== "AbortError") found.replaceChildren();
    }
  }

  function open() {
    if (dialog.open) return;
    came = document.activeElement;
    dialog.showModal();
    box.select();
    narrow();
  }

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette-open]")) {
      event.preventDefault();
      open();
    }
  });
  dialog.addEventListener("close", () => came?.focus());
  box.addEventListener("input", () => {
    narrow();
    clearTimeout(timer);
    timer = setTimeout(search, WAIT_MS);
  });
  box.addEventListener("keydown", (event) => {
    const options = seen();
    const at = options.findIndex((one) => one.getAttribute("aria-selected") === "true");
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: event.ctrlKey ? 0 : null, End: event.ctrlKey ? options.length - 1 : null };
    const to = steps[event.key];
    if (to !== undefined && to !== null && options.length) {
      event.preventDefault();
      choose(options[(to + options.length) % options.length]);
    }
    if (event.key === "Enter") {
      event.preventDefault();
      if (at >= 0) location.assign(options[at].dataset.url);
      else if (box.value.trim()) location.assign(`/search?q=${encodeURIComponent(box.value.trim())}`);
    }
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    if (event.ctrlKey || event.metaKey) window.open(option.dataset.url, "_blank", "noopener");
    else location.assign(option.dataset.url);
  });
  list.addEventListener("pointermove", (event) => {
    const option = event.target.closest("[role=option]");
    if (option && option.getAttribute("aria-selected") !== "true") choose(option);
  });
}
