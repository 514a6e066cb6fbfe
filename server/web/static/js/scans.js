// Says when a scan that this page saw running, or asked for, is over, and has what the page shows of scans fetched again.
import { refresh } from "./fresh.js";
import { toast } from "./toast.js";

const LEEWAY_MS = 60_000;
const MANY = 3;
// By host: its name, since when it is at it, and whether it was asked for while the page was open.
let busy = new Map();

function seen(area) {
  const now = new Map();
  for (const node of area.querySelectorAll("[data-scan-host]")) {
    const { scanHost, scanName, scanWaits } = node.dataset;
    const before = now.get(scanHost) ?? busy.get(scanHost) ?? { since: Date.now(), tracked: false };
    now.set(scanHost, { ...before, name: scanName, tracked: before.tracked || scanWaits !== undefined });
  }
  return now;
}

async function say(host, { name, since, tracked }) {
  const answer = await fetch(`/api/v1/compliance/scans/${host}?limit=1`, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const [scan] = (await answer.json()).scans;
  // Nothing came of what was asked for: what is told last is older.
  if (!scan?.completed_at || Date.parse(scan.completed_at) < since - LEEWAY_MS) return;
  if (scan.status === "completed") toast(tracked ? `Scan completed for ${name}` : "Compliance scan completed", "good");
  if (scan.status === "failed") toast(`Scan failed on ${name}: ${scan.error_message ?? "it said nothing"}`, "attention");
  if (scan.status === "cancelled") toast(`Scan cancelled on ${name}`);
}

export function startScans(scope) {
  const area = scope.matches?.("[data-scans]") ? scope : scope.querySelector("[data-scans]");
  if (!area) return;
  const now = seen(area);
  const gone = [...busy].filter(([host]) => !now.has(host));
  busy = now;
  if (gone.length === 0) return;
  refresh();
  if (gone.length > MANY) toast(`Compliance scans ended on ${gone.length} hosts`);
  else for (const [host, told] of gone) say(host, told);
}
