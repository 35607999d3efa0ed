// Results on maps: features with the rows of their table, and rasters as pictures that tell their values.
// A map is made when it comes into sight. What is shown comes from jobs, and is text.

import { addFeatures, features, fit, makeMap, onEarth } from "./map.js";
import { showRaster } from "./raster.js";
import { rowsOf } from "./rows.js";

const LARGEST = 20 * 2 ** 20; // bytes that are drawn; the page asks for no more

const attached = new WeakSet();

/** Make the maps of results below an element when they come into sight. */
export function attach(root) {
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      const show = target.dataset.features ? showFeatures : showRaster;
      show(target).catch((error) => tell(target, `This cannot be shown on a map: ${error.message}`));
    }
  }, { rootMargin: "200px" });
  for (const place of root.querySelectorAll("[data-features], [data-raster]")) {
    if (attached.has(place)) continue;
    attached.add(place);
    if (place.dataset.features) place.classList.add("map");
    seen.observe(place);
  }
}

/** Say something in place of a map. */
function tell(place, text) {
  place.classList.remove("map");
  place.replaceChildren(said(text));
}

function said(text) {
  const words = document.createElement("p");
  words.setAttribute("role", "status");
  words.textContent = text;
  return words;
}

async function showFeatures(place) {
  const answer = await fetch(place.dataset.features, { headers: { Accept: "application/geo+json, application/json, */*;q=0.1" } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  if (Number(answer.headers.get("Content-Length")) > LARGEST) throw new Error("it is too large");
  const found = features(unwrapped(await answer.json()));
  if (found === null) throw new Error("it is no GeoJSON");
  if (found.length && !found.some(onEarth)) throw new Error("its coordinates are no longitudes and latitudes");
  const view = await makeMap(place, `Map of ${place.dataset.label}; the table beside it says the same`);
  const rows = rowsOf(place.closest(".mapped"), found, place.dataset.label, dress), body = rows?.body;
  const shown = addFeatures(view, found, (event, number) => {
    mark(event === "out" ? null : number, event === "click");
  });
  fit(view, shown.layer.getBounds());
  if (shown.left) place.closest(".mapped").append(said(`${shown.left} of ${found.length} features cannot be drawn and are left out.`));

  function mark(number, scroll = false) {
    shown.mark(number);
    if (scroll && number !== null) rows?.turnTo(number);
    for (const row of body?.rows ?? []) row.classList.toggle("marked", Number(row.dataset.feature) === number);
    if (scroll) body?.querySelector(".marked")?.scrollIntoView({ block: "nearest" });
  }
  body?.addEventListener("mouseover", (event) => mark(numberOf(event)));
  body?.addEventListener("mouseleave", () => mark(null));
  body?.addEventListener("focusin", (event) => mark(numberOf(event)));
  body?.addEventListener("click", (event) => {
    const number = numberOf(event);
    if (number === null || event.target.closest("a")) return;
    mark(number);
    fit(view, shown.bounds(number));
  });
}

/** A value may stand inside of an object that qualifies it. */
function unwrapped(value) {
  return value?.type === undefined && value?.value ? value.value : value;
}

function numberOf(event) {
  const row = event.target.closest("[data-feature]");
  return row ? Number(row.dataset.feature) : null;
}

/** Let keys reach the rows, too: the first cell of each becomes a button. */
function dress(body) {
  for (const row of body.rows) {
    const first = row.cells[0];
    if (!first || first.querySelector("a, button")) continue;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "link", title: "Show on the map" });
    button.textContent = first.textContent || `feature ${Number(row.dataset.feature) + 1}`;
    first.replaceChildren(button);
  }
}

attach(document);
