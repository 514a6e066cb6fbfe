// Parts of a page that are fetched again when something happened: data-fresh, each with an id. A page about one host names
// its stream: data-follow="/hosts/live?rows=…".
import { Follower } from "./live.js";

const REST_MS = 1500;
let follower = null;
let followed = "";
let resting = false;
let again = false;

/** Fetch the page once and exchange what must be fresh; not what somebody is at. */
export async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" }).catch(() => null);
  // Signed out, or the server is away: what is seen stays, and the next event or reload tries again.
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const node of document.querySelectorAll("[data-fresh]")) {
    const fresh = page.getElementById(node.id);
    if (!fresh || node.contains(document.activeElement) || node.querySelector("details[open], dialog[open], :popover-open")) continue;
    const put = document.adoptNode(fresh);
    node.replaceWith(put);
    window.htmx.process(put);
    document.dispatchEvent(new CustomEvent("htmx:load", { detail: { elt: put } }));
  }
}

async function look() {
  again = true;
  if (resting || document.hidden) return;
  resting = true;
  again = false;
  await refresh();
  setTimeout(() => {
    resting = false;
    if (again) look();
  }, REST_MS);
}

export function startFollowing(scope) {
  const url = (scope.matches?.("[data-follow]") ? scope : scope.querySelector("[data-follow]"))?.dataset.follow;
  if (!url || url === followed) return;
  follower?.stop();
  followed = url;
  follower = new Follower(url, 0, { rows: look });
}

document.addEventListener("visibilitychange", () => {
  if (again && !document.hidden) look();
});
