// Turns terminal output with colour codes into elements; the same rules as server/web/ansi.py. Text only ever becomes
// text nodes, so nothing a host prints can become markup.
const SEQUENCE = /\x1b(?:\[([0-9;:]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])/g;
const REDRAWN = /(?<![^\n\r])[^\n\r]*\r(?=[^\n\r])/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;
const SWITCHES = {
  1: { bold: true },
  2: { faint: true },
  3: { italic: true },
  4: { underline: true },
  22: { bold: false, faint: false },
  23: { italic: false },
  24: { underline: false },
};
const PLAIN = { colour: null, ground: null, bold: false, faint: false, italic: false, underline: false };

/** Return a fragment for `text`. */
export function ansi(text) {
  const fragment = document.createDocumentFragment();
  const clean = text.replaceAll("\r\n", "\n").replace(REDRAWN, "");
  let style = PLAIN;
  let at = 0;
  for (const match of clean.matchAll(SEQUENCE)) {
    add(fragment, clean.slice(at, match.index), style);
    if (match[2] === "m") style = applied(style, match[1]);
    at = match.index + match[0].length;
  }
  add(fragment, clean.slice(at), style);
  return fragment;
}

/** Return `text` without any code, for one-line summaries. */
export function plain(text) {
  return text.replaceAll("\r\n", "\n").replace(REDRAWN, "").replace(SEQUENCE, "").replace(CONTROL, "");
}

function add(fragment, text, style) {
  const shown = text.replace(CONTROL, "");
  if (!shown) return;
  const classes = ["bold", "faint", "italic", "underline"].filter((name) => style[name]).map((name) => `ansi-${name}`);
  if (style.colour !== null) classes.push(`ansi-fg-${style.colour}`);
  if (style.ground !== null) classes.push(`ansi-bg-${style.ground}`);
  if (!classes.length) {
    fragment.append(shown);
    return;
  }
  const span = document.createElement("span");
  span.className = classes.join(" ");
  span.textContent = shown;
  fragment.append(span);
}

function applied(style, parameters) {
  const codes = parameters.split(/[;:]/).map((code) => Number(code || 0));
  let result = style;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(at + 1));
      result = { ...result, [code === 38 ? "colour" : "ground"]: colour };
      at += used;
    } else {
      result = one(result, code);
    }
  }
  return result;
}

function one(style, code) {
  if (code === 0) return PLAIN;
  if (SWITCHES[code]) return { ...style, ...SWITCHES[code] };
  for (const [first, field, bright] of [[30, "colour", 0], [40, "ground", 0], [90, "colour", 8], [100, "ground", 8]]) {
    if (code >= first && code < first + 8) return { ...style, [field]: code - first + bright };
  }
  if (code === 39) return { ...style, colour: null };
  if (code === 49) return { ...style, ground: null };
  return style;
}

function extended(codes) {
  if (codes[0] === 5 && codes.length > 1) return [ofPalette(codes[1]), 2];
  if (codes[0] === 2 && codes.length > 3) {
    return [nearest(...codes.slice(1, 4).map((value) => Math.floor(Math.min(value, 255) / 43))), 4];
  }
  return [null, codes.length];
}

function ofPalette(value) {
  if (value < 16) return value;
  if (value >= 256) return null;
  if (value >= 232) return value >= 244 ? 7 : 8;
  const cube = value - 16;
  return nearest(Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6);
}

function nearest(red, green, blue) {
  const most = Math.max(red, green, blue);
  if (most === 0) return 8;
  const named = [[1, red], [2, green], [4, blue]].reduce((sum, [bit, part]) => (part * 2 > most ? sum + bit : sum), 0);
  return most > 3 ? named + 8 : named;
}
