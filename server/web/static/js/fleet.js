// The list of hosts while it is open: cells follow what happens, groups and tags are changed where they stand; and the
// page on which a new host is waited for.
import { Follower } from "./live.js";
import { toast } from "./toast.js";
import { startTimes } from "./time.js";

const LOOK_MS = 1500;
const LONGEST_ROWS = 150;
const region = () => document.getElementById("list-hosts");
const rows = () => [...(region()?.querySelectorAll("tr[data-row]") ?? [])];

let follower = null;
let followed = "";
let looking = false;
let again = false;

function follow(url) {
  const ids = rows().slice(0, LONGEST_ROWS).map((row) => row.dataset.row).join(",");
  if (follower && ids === followed) return;
  follower?.stop();
  followed = ids;
  follower = new Follower(`${url}?rows=${ids}`, 0, { rows: () => look(), counts: () => look() });
}

// Whatever was said, the page itself is fetched as the person would get it, and only what differs is put in.
async function look() {
  if (looking || document.hidden) {
    again = true;
    return;
  }
  looking = true;
  again = false;
  try {
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The stream says it again when the server is back.
  }
  setTimeout(() => {
    looking = false;
    if (again) look();
  }, LOOK_MS);
}

function put(page) {
  exchange(document.getElementById("fleet-cards"), page.getElementById("fleet-cards"));
  const count = [document, page].map((one) => one.querySelector(".page-count"));
  if (count[0] && count[1]) count[0].textContent = count[1].textContent;
  const fresh = page.getElementById("list-hosts");
  const known = new Map([...fresh.querySelectorAll("tr[data-row]")].map((row) => [row.dataset.row, row]));
  const now = rows();
  const same = now.length === known.size && now.every((row) => known.has(row.dataset.row));
  const busy = region()?.querySelector("tbody input:checked, [data-cell-form], [data-list] :popover-open") || region()?.contains(document.activeElement);
  if (!same && !busy && region()) {
    region().replaceWith(document.adoptNode(fresh));
    window.htmx.process(region());
    document.dispatchEvent(new CustomEvent("htmx:load", { detail: { elt: region() } }));
    return;
  }
  for (const row of now) {
    const other = known.get(row.dataset.row);
    if (!other) continue;
    [...row.cells].forEach((cell, place) => {
      if (!cell.matches(".tick") && !cell.querySelector("[data-cell-form]")) exchange(cell, other.cells[place]);
    });
  }
}

function exchange(old, fresh) {
  if (!old || !fresh || old.contains(document.activeElement)) return;
  const before = old.cloneNode(true);
  // What scripts wrote into the old one (times) is no difference.
  for (const time of before.querySelectorAll("time")) time.textContent = "";
  const after = fresh.cloneNode(true);
  for (const time of after.querySelectorAll("time")) time.textContent = "";
  if (before.innerHTML.replace(/ title="[^"]*"/g, "") === after.innerHTML.replace(/ title="[^"]*"/g, "")) return;
  old.innerHTML = fresh.innerHTML;
  old.className = fresh.className;
  window.htmx.process(old);
  startTimes(old);
}

async function save(cell) {
  if (cell.dataset.saving) return;
  cell.dataset.saving = "1";
  const body = new URLSearchParams();
  body.set("csrf", document.querySelector('meta[name="csrf"]').content);
  for (const field of cell.querySelectorAll("[data-cell-field]")) {
    if (field.type !== "checkbox" || field.checked) body.append(field.dataset.cellField, field.value);
  }
  const answer = await fetch(cell.dataset.url, { method: "POST", body, headers: { "HX-Request": "true", Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) {
    delete cell.dataset.saving;
    toast("That could not be saved. Try again.", "bad");
    return;
  }
  replace(cell, await answer.text());
}

async function cancel(cell) {
  const answer = await fetch(location.href, { headers: { "HX-Request": "true" } }).catch(() => null);
  const there = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(cell.id);
  if (there) replace(cell, there.outerHTML);
}

function replace(cell, html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  const fresh = template.content.firstElementChild;
  const inside = cell.contains(document.activeElement);
  cell.replaceWith(fresh);
  window.htmx.process(fresh);
  if (inside) fresh.querySelector("a.cell-edit-open, input")?.focus();
}

function startCells() {
  document.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-cell-form]");
    if (cell && event.target.closest("[data-cell-save]")) save(cell);
    else if (cell && event.target.closest("[data-cell-cancel]")) cancel(cell);
    else for (const open of document.querySelectorAll("[data-cell-form]")) if (open !== cell) save(open);
  });
  document.addEventListener("keydown", (event) => {
    const cell = event.target.closest?.("[data-cell-form]");
    if (!cell) return;
    if (event.key === "Escape") {
      event.preventDefault();
      cancel(cell);
    } else if (event.key === "Enter" && !event.target.closest("button")) {
      event.preventDefault();
      save(cell);
    }
  });
}

// After its command was copied a new host's page shows what happens; the command stays one click away.
function startWizard(wizard) {
  const command = wizard.querySelector("[data-wizard-command]");
  const back = wizard.querySelector("[data-wizard-again]");
  if (!command || !back) return;
  const steps = document.querySelectorAll(".step-list li");
  const show = (copied) => {
    command.hidden = copied;
    back.hidden = !copied;
    steps.forEach((step, place) => {
      const here = copied ? 3 : 2;
      step.classList.toggle("is-done", place < here);
      if (place === here) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
  };
  wizard.addEventListener("click", (event) => {
    if (event.target.closest('[data-copy="#install-command"]')) setTimeout(() => show(true), 900);
    if (event.target.closest("[data-wizard-again] button")) show(false);
  });
}

export function startFleet(scope) {
  const live = document.querySelector("[data-fleet-live]");
  if (live) follow(live.dataset.fleetLive);
  for (const wizard of scope.querySelectorAll?.("[data-wizard]") ?? []) startWizard(wizard);
  const arrived = scope.matches?.("[data-arrived]") ? scope : scope.querySelector?.("[data-arrived]");
  if (arrived) setTimeout(() => location.assign(arrived.dataset.arrived), 1200);
  for (const cell of scope.matches?.("[data-cell-form]") ? [scope] : []) cell.querySelector("input")?.focus();
}

export function startFleetOnce() {
  startCells();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && again) look();
  });
}
