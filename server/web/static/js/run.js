// The page of one run while it is under way: output grows from the stream, everything else is exchanged part by part when
// it changed; nothing is exchanged under somebody's hands.
import { ansi } from "./ansi.js";
import { Follower } from "./live.js";
import { startTimes } from "./time.js";
import { toast } from "./toast.js";

const PARTS = ["run-head", "run-notices", "run-compared", "run-tools", "run-packages", "run-side"];
const NEAR_PX = 32;
const LIVE_POLL_SECONDS = 5;
const MOST_CHARACTERS = 400000;

const page = document.querySelector("[data-run]");
const text = document.getElementById("run-output");
const pill = document.querySelector("[data-run-pill]");
const head = () => document.getElementById("run-head");
let follower = null;
let open = false;
let follows = true;

class RunFollower extends Follower {
  lost() {
    setOpen(false);
    super.lost();
  }
}

function setOpen(state) {
  open = state;
  pill.hidden = !state;
}

const lines = (printed) => printed.replaceAll("\r\n", "\n").replaceAll("\r", "\n");

function draw(node) {
  text.querySelector("[data-empty]")?.remove();
  text.append(node);
  while (text.textContent.length > MOST_CHARACTERS && text.childNodes.length > 1) text.firstChild.remove();
  if (follows) text.scrollTop = text.scrollHeight;
}

function follow() {
  if (follower || head().dataset.runLive !== "true") return;
  follower = new RunFollower(page.dataset.runStream, 0, {
    snapshot: (data) => {
      setOpen(true);
      if (!data.shell_output) return;
      text.replaceChildren();
      draw(ansi(lines(data.shell_output).slice(-MOST_CHARACTERS)));
    },
    chunk: (data) => draw(ansi(lines(data.chunk))),
    done: () => {
      setOpen(false);
      follower.stop();
      follower = null;
      look();
    },
  });
}

async function fetched(url) {
  const answer = await fetch(url, { credentials: "same-origin", headers: { "HX-Request": "true" } }).catch(() => null);
  return answer?.ok ? answer.text() : null;
}

// Times are kept true by a script: they are no difference.
function said(node) {
  const copy = node.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) {
    time.textContent = "";
    time.removeAttribute("title");
  }
  copy.removeAttribute("data-run-version");
  return copy.outerHTML.replace(/name="csrf" value="[^"]*"/g, "");
}

const busy = (node) => node.querySelector("dialog[open], :popover-open") || node.contains(document.activeElement);

function put(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const before = head().dataset.runStatus;
  for (const id of PARTS) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !now || said(old) === said(now)) continue;
    // A question somebody is answering stays, unless the run is in another state: then it has no answer any more.
    if (busy(old) && now.dataset.runStatus === old.dataset.runStatus) continue;
    const focused = old.contains(document.activeElement);
    old.replaceWith(document.adoptNode(now));
    window.htmx?.process(now);
    startTimes(now);
    if (focused) (now.querySelector("h1, a, button") ?? text).focus({ preventScroll: true });
  }
  return before !== head().dataset.runStatus;
}

let timer = null;

async function look() {
  clearTimeout(timer);
  if (!document.hidden) {
    const was = head().dataset.runLive === "true" || open;
    const html = await fetched(`${page.dataset.run}/parts`);
    const moved = html !== null && put(html);
    follow();
    // It began and ended between two looks: nobody told its output.
    if (moved && !was && !follower) await whole();
  }
  plan();
}

async function whole() {
  const printed = await fetched(`${page.dataset.run}/output?inline=1`);
  if (!printed) return;
  text.replaceChildren();
  draw(ansi(lines(printed).slice(-MOST_CHARACTERS)));
}

function plan() {
  const seconds = Number(head().dataset.runPoll);
  if (seconds) timer = setTimeout(look, (open ? LIVE_POLL_SECONDS : seconds) * 1000);
}

text.addEventListener("scroll", () => {
  follows = text.scrollHeight - text.scrollTop - text.clientHeight <= NEAR_PX;
}, { passive: true });

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-run-copy]");
  if (!button) return;
  const printed = await fetched(button.dataset.runCopy);
  const done = printed !== null && navigator.clipboard && await navigator.clipboard.writeText(printed).then(() => true, () => false);
  if (done) {
    const word = button.querySelector("span");
    word.textContent = "Copied";
    setTimeout(() => {
      word.textContent = "Copy output";
    }, 1600);
    toast("Copied", "good", 1600);
    return;
  }
  // Pages served without encryption reach no clipboard: what is shown is selected for the person's own copy.
  getSelection().selectAllChildren(text);
  toast(document.execCommand("copy") ? "Copied" : "The text is selected: copy it with Ctrl C.", "neutral");
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && Number(head().dataset.runPoll)) look();
});

text.scrollTop = text.scrollHeight;
follow();
plan();
