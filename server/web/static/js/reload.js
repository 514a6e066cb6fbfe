// A part of a page that must stay fresh says so: data-reload="10" (data-reload-url="…") fetches the page again while it is
// visible and exchanges that element only. Used where a stream would be too much (waiting for a first connection).
export function startReload(scope) {
  // The exchanged element is its own scope.
  const nodes = scope.matches?.("[data-reload]") ? [scope] : scope.querySelectorAll("[data-reload]");
  for (const node of nodes) {
    const seconds = Number(node.dataset.reload);
    setTimeout(function again() {
      if (!node.isConnected) return;
      // data-reload-gently: not while somebody is at it. What is open stays open, and what has the focus keeps it.
      const busy = "reloadGently" in node.dataset && (node.contains(document.activeElement) || node.querySelector("details[open]"));
      if (document.hidden || busy) {
        setTimeout(again, seconds * 1000);
        return;
      }
      // A page that answers a form stands under the form's address: it names the one to look at.
      window.htmx.ajax("GET", node.dataset.reloadUrl ?? location.href, { target: `#${node.id}`, select: `#${node.id}`, swap: "outerHTML" });
    }, seconds * 1000);
  }
}
