// The browser's part of passkeys: making one, and signing in with one.
import { toast } from "./toast.js";

const token = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

const toBytes = (text) => {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (char) => char.charCodeAt(0));
};
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function ask(url, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": token() },
    body: JSON.stringify(body),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(Object.values(said.complaints ?? {})[0] ?? said.error ?? "The server did not answer.");
  return said;
}

function known(list) {
  return (list ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));
}

function plain(credential) {
  const response = { clientDataJSON: toText(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function words(error) {
  if (error.name === "NotAllowedError") return "The browser did not use a passkey: cancelled, or it took too long.";
  if (error.name === "InvalidStateError") return "This device has a passkey for you already.";
  if (error.name === "SecurityError") return "Passkeys do not work at this address.";
  return error.message;
}

function complain(area, error) {
  const place = area.querySelector("[data-passkey-complaint]");
  if (!place) return toast(words(error), "bad");
  place.hidden = false;
  place.textContent = words(error);
}

async function enter(button) {
  const form = button.closest("form");
  const value = (name) => form.elements.namedItem(name)?.value ?? "";
  const ticket = value("ticket");
  const { ceremony, options } = await ask("/api/v1/auth/passkey/options", { ticket });
  const credential = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      allowCredentials: known(options.allowCredentials),
    },
  });
  const remember = form.querySelector("[type=checkbox][name=remember_me]")?.checked ?? false;
  const done = await ask("/api/v1/auth/passkey/verify", {
    ceremony,
    credential: plain(credential),
    ticket,
    remember_me: remember,
    return_to: value("return_to") || "/",
  });
  location.assign(done.location);
}

async function add(form) {
  const value = (name) => form.elements.namedItem(name)?.value ?? "";
  const { ceremony, options } = await ask("/api/v1/auth/passkeys/options", { password: value("passkey_password") });
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      user: { ...options.user, id: toBytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
    },
  });
  await ask("/api/v1/auth/passkeys", {
    ceremony,
    name: value("passkey_name"),
    credential: plain(credential),
    transports: credential.response.getTransports?.() ?? [],
  });
  location.reload();
}

export function startPasskeys() {
  const able = window.isSecureContext && "credentials" in navigator && "PublicKeyCredential" in window;
  for (const button of document.querySelectorAll("[data-passkey-enter]")) button.hidden = !able;
  for (const form of document.querySelectorAll("[data-passkey-add]")) {
    form.hidden = !able;
    form.parentElement.querySelector("[data-passkey-unable]")?.toggleAttribute("hidden", able);
  }
  if (!able) return;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-passkey-enter]");
    if (!button) return;
    button.disabled = true;
    await enter(button).catch((error) => complain(button.closest("form"), error));
    button.disabled = false;
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-passkey-add]");
    if (!form) return;
    event.preventDefault();
    event.submitter.disabled = true;
    await add(form).catch((error) => complain(form, error));
    event.submitter.disabled = false;
  });
}
