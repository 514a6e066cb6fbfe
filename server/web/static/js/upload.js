// Sends the file of a form as it is, so that large ones need not fit into a form; without it the form is sent as usual.
const token = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

async function send(form) {
  const file = form.querySelector('input[type="file"]').files[0];
  const query = new URLSearchParams({ name: file.name });
  for (const one of (form.elements.system?.value ?? "").split(/[\s,]+/)) if (one) query.append("system", one);
  const headers = { "Content-Type": "application/octet-stream", "X-CSRF-Token": token() };
  // What happened is said on the page that is loaded next.
  await fetch(`${form.dataset.upload}?${query}`, { method: "POST", headers, body: file, redirect: "manual" });
  window.location.assign(form.dataset.upload);
}

export function startUploads() {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-upload]");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector('button[type="submit"]');
    button.disabled = true;
    button.textContent = "Uploading…";
    send(form).catch(() => form.submit());
  });
}
