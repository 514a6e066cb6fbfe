// The calendar is written by the server in the zone of who looks: the browser says once which one that is.
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
const shown = document.querySelector("[data-calendar]").dataset.calendar;
const known = document.cookie.split("; ").find((one) => one.startsWith("zone="))?.slice(5);
if (here && known !== here) {
  document.cookie = `zone=${here}; path=/patching; max-age=31536000; samesite=lax`;
  const chosen = new URLSearchParams(location.search).has("zone");
  if (!chosen && shown !== here && document.cookie.includes(`zone=${here}`)) location.reload();
}
for (const select of document.querySelectorAll("[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
