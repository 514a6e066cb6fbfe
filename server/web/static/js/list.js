// Lists: the tools above a list stand outside the part that is exchanged, so that typing is never disturbed. Their forms
// take the rest of the address from the bar, and are put right when the address changed by other means.

const region = (tools) => document.getElementById(tools.dataset.listTools);

function parameters() {
  return new URLSearchParams(location.search);
}

// A form says its own fields; what else the address holds stays, except the page.
document.addEventListener("htmx:configRequest", (event) => {
  const form = event.detail.elt.closest("[data-list-form]");
  if (!form) return;
  const own = new Set([...form.elements].filter((one) => one.name && !one.matches("[data-list-rest]")).map((one) => one.name));
  const sent = event.detail.parameters;
  for (const name of Object.keys(sent)) if (!own.has(name)) delete sent[name];
  for (const [name, value] of parameters()) if (!own.has(name) && name !== "page") sent[name] = value;
  for (const [name, value] of Object.entries(sent)) if (value === "") delete sent[name];
});

// Show in the tools what the address says now.
function settle(tools) {
  const now = parameters();
  const keep = tools.querySelector("[data-list-keep]");
  if (keep) {
    keep.elements.columns.value = now.get("columns") ?? keep.dataset.usual;
    keep.elements.query.value = String(now);
  }
  for (const one of tools.querySelectorAll("input, select")) {
    if (one.matches("[data-list-rest]") || one.type === "hidden" || one === document.activeElement) continue;
    if (one.type === "checkbox") {
      const listed = now.has(one.name) ? now.getAll(one.name).flatMap((value) => value.split(",")) : null;
      one.checked = listed ? listed.includes(one.value) : "usual" in one.dataset;
    } else {
      one.value = now.get(one.name) ?? "";
    }
  }
}

function busy(target, state) {
  if (target?.matches?.("[data-list]")) target.toggleAttribute("aria-busy", state);
}

function trouble(event) {
  const list = event.detail.target;
  if (!list?.matches?.("[data-list]")) return;
  const notice = list.querySelector("[data-list-trouble]");
  notice.hidden = false;
  const { elt, requestConfig } = event.detail;
  notice.querySelector("[data-list-retry]").onclick = () => {
    notice.hidden = true;
    const url = requestConfig.finalRequestPath ?? elt.getAttribute("hx-get");
    const options = { source: elt, target: `#${list.id}`, select: `#${list.id}`, swap: "outerHTML show:none" };
    window.htmx.ajax("GET", url, options);
  };
}

// The order of the columns is the order of their boxes.
function moveUp(button) {
  const row = button.closest("[data-column]");
  if (!row.previousElementSibling?.matches("[data-column]")) return;
  row.previousElementSibling.before(row);
  button.focus();
  button.form.dispatchEvent(new Event("change", { bubbles: true }));
}

export function startLists() {
  document.addEventListener("htmx:beforeRequest", (event) => busy(event.detail.target, true));
  document.addEventListener("htmx:afterRequest", (event) => busy(event.detail.target, false));
  document.addEventListener("htmx:responseError", trouble);
  document.addEventListener("htmx:sendError", trouble);
  // After the new address is in the bar.
  document.addEventListener("htmx:pushedIntoHistory", () => {
    for (const tools of document.querySelectorAll("[data-list-tools]")) if (region(tools)) settle(tools);
  });
  document.addEventListener("click", (event) => {
    const up = event.target.closest("[data-column-up]");
    if (up) {
      moveUp(up);
      return;
    }
    const opener = event.target.closest("[data-list-filters]");
    if (!opener) return;
    const bar = document.getElementById(opener.getAttribute("aria-controls"));
    const open = bar.toggleAttribute("data-open");
    opener.setAttribute("aria-expanded", String(open));
    if (open) bar.querySelector("input, select")?.focus();
  });
}
