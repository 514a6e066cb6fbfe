// Shows the description of the API, in the theme of the page.
const place = document.getElementById("api-docs");
const root = document.documentElement;
const follow = () => root.classList.toggle("dark-mode", root.dataset.bsTheme === "dark");
follow();
new MutationObserver(follow).observe(root, { attributeFilter: ["data-bs-theme"] });

window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.source,
  deepLinking: true,
  tagsSorter: "alpha",
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: false,
  validatorUrl: null,
  withCredentials: true,
});
