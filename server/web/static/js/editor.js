// Numbers beside the lines of a text, and findings that lead to their line. The text works without them.
const LINE = 1;

function enhance(frame) {
  const text = frame.querySelector("textarea");
  const gutter = document.createElement("pre");
  gutter.className = "editor-gutter";
  gutter.setAttribute("aria-hidden", "true");
  frame.prepend(gutter);
  frame.classList.add("has-numbers");
  let lines = 0;
  const count = () => {
    const now = text.value.split("\n").length;
    if (now !== lines) {
      lines = now;
      gutter.textContent = Array.from({ length: now }, (_, index) => index + LINE).join("\n");
    }
    gutter.scrollTop = text.scrollTop;
  };
  text.addEventListener("input", count);
  text.addEventListener("scroll", () => (gutter.scrollTop = text.scrollTop));
  count();
}

function lead(event) {
  const link = event.target.closest("[data-line]");
  const text = document.querySelector("[data-editor] textarea");
  if (!link || !text) return;
  event.preventDefault();
  const lines = text.value.split("\n");
  const number = Math.min(Number(link.dataset.line), lines.length);
  const start = lines.slice(0, number - LINE).reduce((sum, line) => sum + line.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + lines[number - LINE].length);
  text.scrollTop = (text.scrollHeight / lines.length) * Math.max(0, number - 6);
}

document.querySelectorAll("[data-editor]").forEach(enhance);
document.addEventListener("click", lead);
