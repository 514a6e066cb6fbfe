// Follows a stream of server-sent events. The browser resumes a cut stream by itself with Last-Event-ID; where it gives
// up (the server answered with an error) this opens it again with ?after=, later and later.
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;

export class Follower {
  /**
   * @param {string} url the stream
   * @param {number} after the last position that the page already shows
   * @param {Record<string, (data: object) => void>} handlers by event name
   */
  constructor(url, after, handlers) {
    this.url = url;
    this.after = after;
    this.handlers = handlers;
    this.wait = FIRST_WAIT_MS;
    this.source = null;
    this.timer = null;
    this.leave = () => this.stop();
    window.addEventListener("pagehide", this.leave, { once: true });
    this.open();
  }

  open() {
    const url = new URL(this.url, location.href);
    url.searchParams.set("after", String(this.after));
    mark("connecting");
    this.source = new EventSource(url);
    this.source.addEventListener("open", () => {
      this.wait = FIRST_WAIT_MS;
      mark("open");
    });
    this.source.addEventListener("error", () => this.lost());
    for (const name of Object.keys(this.handlers)) {
      this.source.addEventListener(name, (event) => this.deliver(name, event));
    }
  }

  deliver(name, event) {
    const position = Number(event.lastEventId || 0);
    // After a reconnect the server may repeat what is already shown.
    if (position && position < this.after && name !== "end") return;
    if (position) this.after = position;
    this.handlers[name](event.data ? JSON.parse(event.data) : {}, position);
    if (name === "end") this.stop();
  }

  lost() {
    mark("lost");
    if (this.source.readyState !== EventSource.CLOSED) return;
    this.timer = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  stop() {
    clearTimeout(this.timer);
    window.removeEventListener("pagehide", this.leave);
    this.source?.close();
    mark("idle");
  }
}

const WORDS = { idle: "", connecting: "Connecting", open: "Live", lost: "Reconnecting" };

/** Say in the top bar how the page's stream is. */
export function mark(state) {
  const node = document.querySelector("[data-live-mark]");
  if (!node) return;
  node.dataset.state = state;
  node.hidden = state === "idle";
  const word = node.querySelector("[data-live-word]");
  if (word.textContent !== WORDS[state]) word.textContent = WORDS[state];
}

/** Return the element that `html` describes. */
export function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}
