// What every page loads. Each part looks for its own marks and does nothing where there are none.
import "./theme.js";
import "./menu.js";
import { startTimes } from "./time.js";
import { startCopy } from "./copy.js";
import { startDialogs } from "./dialog.js";
import { startToasts, toast } from "./toast.js";
import { startSelection } from "./select.js";
import { startConsoles } from "./console.js";
import { startLaunch } from "./launch.js";
import { startJob } from "./job.js";
import { startReload } from "./reload.js";
import { startFilters } from "./filter.js";
import { startFinishing } from "./finishing.js";
import { startPasskeys } from "./passkeys.js";
import { startPasswords } from "./password.js";
import { startPermissions } from "./permissions.js";
import { startLists } from "./list.js";
import { startPalette } from "./palette.js";
import { startFollowing } from "./fresh.js";
import { startScans } from "./scans.js";
import { startUploads } from "./upload.js";
import { startFleet, startFleetOnce } from "./fleet.js";

const token = document.querySelector('meta[name="csrf"]')?.content ?? "";

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = token;
});
// A list says in its own place that it could not be fetched.
const isList = (event) => event.detail.target?.matches?.("[data-list]");
document.addEventListener("htmx:responseError", (event) => {
  if (isList(event) && event.detail.xhr.status >= 500) return;
  const status = event.detail.xhr.status;
  toast(status === 401 || status === 403 ? "You are signed out, or may not do this." : `The server answered with an error (${status}). What you see is still the last good state.`, "bad");
});
document.addEventListener("htmx:sendError", (event) => {
  if (isList(event)) return;
  toast("The server cannot be reached. What you see is still the last good state.", "bad");
});

// Parts that must look again at what an exchange brought.
function start(scope) {
  startTimes(scope);
  startSelection(scope);
  startConsoles(scope);
  startLaunch(scope);
  startJob(scope);
  startReload(scope);
  startScans(scope);
  startFollowing(scope);
  startPasswords(scope);
  startPermissions(scope);
  startFleet(scope);
  showChosenTab(scope);
}

// On a phone the strip of tabs is longer than the screen: the chosen one must be seen.
function showChosenTab(scope) {
  for (const chosen of scope.querySelectorAll(".tabs [aria-current], .settings-nav [aria-current]")) {
    const strip = chosen.closest(".settings-nav") ?? chosen.closest("ul");
    strip.scrollLeft = chosen.offsetLeft - (strip.clientWidth - chosen.offsetWidth) / 2;
  }
}

startCopy();
startDialogs();
startToasts();
startFilters();
startFinishing(document);
startPasskeys();
startLists();
startPalette();
startUploads();
startFleetOnce();
start(document);
document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt !== document.body) start(event.detail.elt);
});
document.querySelector("[data-focus]")?.focus();
