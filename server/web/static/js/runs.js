// The history of runs: two selections that never hold the same run, and how many rows a person likes on a page; and the
// form of a policy, which asks only for what its kind of delay needs.
const KEPT = "patching-runs-limit";
const SIZES = new Set(["25", "50", "100", "200"]);

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(size) {
  try {
    localStorage.setItem(KEPT, size);
  } catch {
    // Without a store the next visit begins with the usual number.
  }
}

function sizeOf(url) {
  return new URL(url, location.href).searchParams.get("size") ?? "25";
}

function startSizes(list) {
  const url = new URL(location.href);
  const size = kept();
  if (!url.searchParams.has("size") && size !== "25" && SIZES.has(size) && list.querySelector(".list-sizes")) {
    url.searchParams.set("size", size);
    const where = url.pathname + url.search;
    window.htmx.ajax("GET", where, { target: `#${list.id}`, select: `#${list.id}`, swap: "outerHTML show:none" })
      .then(() => history.replaceState(history.state, "", where));
  }
}

const boxes = (form, name) => [...form.querySelectorAll(`tbody [data-pick${name ? `="${name}"` : ""}]`)];

function show(form) {
  const said = [];
  for (const name of ["delete", "approve"]) {
    const all = boxes(form, name);
    const number = all.filter((box) => box.checked).length;
    const word = name === "delete" ? "Delete" : "Approve";
    for (const node of form.querySelectorAll(`[data-pick-count="${word}"]`)) node.textContent = `${word} ${number} selected`;
    const head = form.querySelector(`[data-pick-all="${name}"]`);
    if (head) {
      head.disabled = all.length === 0;
      head.checked = number > 0 && number === all.length;
      head.indeterminate = number > 0 && !head.checked;
    }
    if (number) said.push(`${number} to ${name}`);
  }
  const note = form.querySelector("[data-pick-said]");
  if (note) note.textContent = said.join(", ");
}

// A run is either deleted or approved: ticking one box of a row takes the tick from the other.
function tick(box, on) {
  box.checked = on;
  if (!on) return;
  for (const other of box.closest("tr").querySelectorAll("[data-pick]")) if (other !== box) other.checked = false;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest(".runs-form");
  if (!form) return;
  if (event.target.matches("[data-pick]")) tick(event.target, event.target.checked);
  const all = event.target.dataset.pickAll;
  if (all) for (const box of boxes(form, all)) tick(box, event.target.checked);
  show(form);
});

document.addEventListener("click", (event) => {
  const clear = event.target.closest("[data-pick-clear]");
  if (clear) {
    const form = clear.closest("form");
    for (const box of boxes(form, clear.dataset.pickClear)) box.checked = false;
    show(form);
    return;
  }
  const size = event.target.closest("[data-patching-runs] .list-sizes a");
  if (size) keep(sizeOf(size.href));
});

function start(scope) {
  for (const form of scope.querySelectorAll(".runs-form")) show(form);
}

const NEEDS = { delayed: ["delay_minutes"], fixed_time: ["fixed_time_utc", "timezone"], immediate: [] };

function startPolicy(fields) {
  const kind = fields.querySelector("[name=patch_delay_type]");
  const settle = () => {
    for (const name of new Set(Object.values(NEEDS).flat())) {
      const node = fields.querySelector(`[data-policy-field="${name}"]`);
      if (node) node.hidden = !NEEDS[kind.value].includes(name);
    }
  };
  kind.addEventListener("change", settle);
  settle();
}

for (const fields of document.querySelectorAll(".policy-fields:has([name=patch_delay_type])")) startPolicy(fields);
for (const list of document.querySelectorAll("[data-patching-runs]")) startSizes(list);
start(document);
document.addEventListener("htmx:load", (event) => start(event.detail.elt));
