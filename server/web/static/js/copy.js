// Copies the text of another element; where the clipboard is closed to pages, a prompt holds it, selected.
import { toast } from "./toast.js";

async function write(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  return false;
}

function select(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

export function startCopy() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    let done = await write(source.textContent).catch(() => false);
    if (!done) {
      select(source);
      // The old command still works on pages served without encryption.
      done = document.execCommand("copy");
    }
    if (!done) {
      window.prompt("Copy it with Ctrl C", source.textContent);
      return;
    }
    const word = button.querySelector("span");
    if (word) {
      const before = word.textContent;
      word.textContent = button.dataset.copied;
      setTimeout(() => {
        word.textContent = before;
      }, 1600);
    }
    toast("Copied", "good", 1600);
  });
}
