// Ticks what a new password fulfils while it is typed, and keeps the form from being sent before it fulfils all.
const TESTS = {
  min_length: (text, policy) => text.length >= policy.min_length,
  require_uppercase: (text) => /\p{Lu}/u.test(text),
  require_lowercase: (text) => /\p{Ll}/u.test(text),
  require_number: (text) => /\p{Nd}/u.test(text),
  require_special: (text) => /[^\p{L}\p{N}\s]/u.test(text),
};
const WORDS = ["Very weak", "Weak", "Fair", "Good", "Strong"];

// Length counts most; kinds of characters widen what has to be guessed; a repeated one adds nothing.
export function strength(text) {
  if (!text) return 0;
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{L}\p{N}]/u].filter((kind) => kind.test(text)).length;
  const different = new Set(text).size;
  const bits = Math.min(text.length, different * 2) * Math.log2(10 + kinds * 20);
  return bits < 28 ? 0 : bits < 44 ? 1 : bits < 60 ? 2 : bits < 84 ? 3 : 4;
}

async function currentPolicy() {
  try {
    const answer = await fetch("/api/v1/settings/login-settings", { headers: { Accept: "application/json" } });
    return answer.ok ? (await answer.json()).password_policy : null;
  } catch {
    return null; // the server checks anyway
  }
}

async function watch(area) {
  const field = document.getElementById(area.dataset.passwordRules);
  if (!field) return;
  const policy = await currentPolicy();
  if (!policy) return;
  const meter = area.querySelector("meter");
  const word = area.querySelector("[data-strength-word]");
  const again = field.form?.elements.namedItem("confirm");
  const look = () => {
    let missing = 0;
    for (const rule of area.querySelectorAll("[data-rule]")) {
      const kept = TESTS[rule.dataset.rule]?.(field.value, policy) ?? true;
      rule.dataset.state = field.value ? (kept ? "kept" : "broken") : "";
      rule.setAttribute("aria-label", `${rule.textContent.trim()}${kept ? ": done" : ""}`);
      if (!kept) missing += 1;
    }
    const level = strength(field.value);
    area.querySelector("[data-strength]").hidden = !field.value;
    meter.value = level;
    meter.dataset.level = String(level);
    if (word.textContent !== WORDS[level]) word.textContent = WORDS[level];
    field.setCustomValidity(field.value && missing ? "Password does not meet the password policy" : "");
    again?.setCustomValidity(again.value && again.value !== field.value ? "The two passwords are not the same" : "");
  };
  field.addEventListener("input", look);
  again?.addEventListener("input", look);
  look();
  area.dataset.ready = "";
}

export function startPasswords(scope) {
  for (const area of scope.querySelectorAll("[data-password-rules]")) watch(area);
}
