// The page of a job while it is alive: rows, tree and console grow from the stream; the server's own fragments are used,
// so a page that watched all along looks exactly like one that was opened late.
import { ansi, plain } from "./ansi.js";
import { extend } from "./console.js";
import { element, Follower } from "./live.js";
import { startTimes } from "./time.js";

const AFTER_END = ["job-head", "job-actions", "job-causes", "job-results", "job-detail-tabs"];
let follower = null;

export function startJob(scope) {
  filterHosts(scope);
  const detail = scope.id === "job-detail" ? scope : scope.querySelector("#job-detail");
  if (!detail) return;
  follower?.stop();
  follower = null;
  markSelected(detail.dataset.host);
  if (detail.dataset.live !== "true") return;
  const page = new Page(detail);
  follower = new Follower(detail.dataset.stream, Number(detail.dataset.position), {
    output: (data) => page.output(data),
    task: (data) => page.task(data),
    host: (data) => page.host(data),
    job: (data) => page.job(data),
    end: () => page.end(),
  });
}

class Page {
  constructor(detail) {
    this.detail = detail;
    this.hostId = detail.dataset.host;
    this.console = detail.querySelector(".console-text");
    this.tree = detail.querySelector("#tree");
    this.shown = Number(detail.dataset.position);
    this.waiting = [];
    this.frame = null;
  }

  output({ host, source, text, position }) {
    if (host !== this.hostId) return;
    // Whoever was cut off within one event hears all of it again.
    if (position && position <= this.shown) return;
    this.shown = position ?? this.shown;
    if (source === "live") this.showLiveLine(text);
    if (!this.console) return;
    const chunk = document.createElement("span");
    chunk.className = `chunk is-${source}`;
    chunk.append(ansi(`${text.replace(/\n+$/, "")}\n`));
    this.waiting.push(chunk);
    // A busy package manager prints hundreds of lines a second: draw once a frame.
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = null;
    this.console.querySelector("[data-empty]")?.remove();
    extend(this.console, this.waiting.splice(0));
  }

  showLiveLine(text) {
    const lines = plain(text).split("\n").filter((line) => line.trim());
    const running = this.tree?.querySelector(".tree-task.is-running:last-of-type .tree-live")
      ?? [...(this.tree?.querySelectorAll(".tree-task.is-running .tree-live") ?? [])].at(-1);
    if (running && lines.length) running.textContent = lines.at(-1);
  }

  task(data) {
    if (data.host !== this.hostId || !this.tree) return;
    const fresh = element(data.html);
    this.tree.querySelector("[data-empty]")?.remove();
    const old = document.getElementById(fresh.id);
    if (old) old.replaceWith(fresh);
    else this.tree.append(fresh);
    process(fresh);
    if (!old && followsEnd()) fresh.scrollIntoView({ block: "nearest" });
  }

  host(data) {
    const fresh = element(data.html);
    const old = document.getElementById(fresh.id);
    const focused = old?.contains(document.activeElement);
    if (old) old.replaceWith(fresh);
    else document.getElementById("host-list")?.append(fresh);
    process(fresh);
    markSelected(this.hostId);
    if (focused) fresh.querySelector("a").focus();
  }

  job(data) {
    const fresh = element(data.html);
    document.getElementById(fresh.id)?.replaceWith(fresh);
    process(fresh);
  }

  /** Bring what only the whole page knows: buttons, causes, results. */
  async end() {
    this.console?.setAttribute("aria-busy", "false");
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of AFTER_END) {
      const fresh = page.getElementById(id);
      const old = document.getElementById(id);
      if (fresh && old) {
        old.replaceWith(fresh);
        process(fresh);
      }
    }
  }
}

function process(node) {
  window.htmx?.process(node);
  startTimes(node);
}

const NEAR_PX = 120;
const followsEnd = () => {
  const root = document.scrollingElement;
  return root.scrollTop > 0 && root.scrollHeight - root.scrollTop - root.clientHeight < NEAR_PX;
};

function markSelected(id) {
  for (const link of document.querySelectorAll("#host-list a")) {
    if (link.closest("li").id === `host-${id}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function filterHosts(scope) {
  const box = scope.querySelector("[data-filter-hosts]");
  box?.addEventListener("input", () => {
    const wanted = box.value.trim().toLowerCase();
    for (const row of document.querySelectorAll("#host-list .host-row")) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
    }
  });
}
