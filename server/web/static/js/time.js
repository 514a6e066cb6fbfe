// Keeps relative times true, writes exact ones in the person's own zone and manner, and lets stopwatches run.
const SECOND = 1000;
const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
];
const RELATIVE_DAYS = 60;
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export function relative(at, now = Date.now()) {
  const seconds = (now - at.getTime()) / SECOND;
  const amount = Math.abs(seconds);
  if (amount < 10) return "just now";
  if (amount >= RELATIVE_DAYS * 86400) return day.format(at);
  const [unit, size] = UNITS.find(([, each]) => amount >= each) ?? ["s", 1];
  const text = `${Math.floor(amount / size)} ${unit}`;
  return seconds >= 0 ? `${text} ago` : `in ${text}`;
}

export function stopwatch(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

function tick(scope = document) {
  for (const node of scope.querySelectorAll("time[data-relative]")) {
    const at = new Date(node.dateTime);
    const text = relative(at);
    if (node.textContent !== text) node.textContent = text;
    if (!node.dataset.told) {
      node.title = exact.format(at);
      node.dataset.told = "1";
    }
  }
  for (const node of scope.querySelectorAll("time[data-exact]")) {
    if (!node.dataset.told) {
      node.textContent = exact.format(new Date(node.dateTime));
      node.dataset.told = "1";
    }
  }
  for (const node of scope.querySelectorAll("[data-since]")) {
    node.textContent = stopwatch((Date.now() - new Date(node.dataset.since).getTime()) / SECOND);
  }
}

let timer = null;

export function startTimes(scope) {
  tick(scope);
  timer ??= setInterval(() => {
    if (!document.hidden) tick();
  }, SECOND);
}
