// A raster as a map: the picture of it, and the value at a place where the pointer rests or that somebody types.
// What is said beside it the server writes (raster.html); here it becomes live.

import { makeMap } from "./map.js";
import { wrapped } from "./places.js";

const REST = 120; // milliseconds that the pointer stays where it is, until its value is asked for
const LONGEST = 120; // seconds that a picture is waited for
const HTML = { Accept: "text/html" };

/** Wait for the picture of a raster, and show it. place: [data-raster], its address. */
export async function showRaster(place) {
  if (!place.querySelector(".view")) {
    place.querySelector(".wait").textContent = "The picture is being drawn...";
    place.replaceChildren(await drawn(place.dataset.raster));
  }
  const view = place.querySelector(".view");
  if (!view.dataset.picture) return; // it says why
  if (view.dataset.bounds === "null") return void live(place, view, null);
  const label = place.dataset.label, canvas = made("div");
  view.querySelector(".plain").replaceWith(canvas);
  const on = await makeMap(canvas, `Map of ${label}; the fields beside it tell the value at a place`);
  const bounds = JSON.parse(view.dataset.bounds);
  const overlay = on.L.imageOverlay(view.dataset.picture, bounds, { alt: `Picture of ${label}`, className: "pixels" });
  overlay.addTo(on.map);
  on.map.fitBounds(bounds, { padding: [12, 12], maxZoom: 18, animate: false });
  const told = hover(on, view);
  live(place, view, { overlay, told });
}

/** The part of its page that shows a picture, as soon as it is drawn. */
async function drawn(address) {
  const deadline = Date.now() + LONGEST * 1000;
  while (Date.now() < deadline) {
    const answer = await fetch(address, { headers: HTML });
    if (answer.status === 200) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      return document.adoptNode(page.querySelector(".view"));
    }
    if (answer.status !== 202 && answer.status !== 503) throw new Error(`the server answered ${answer.status}`);
    await new Promise((resolve) => { setTimeout(resolve, 1000 * Number(answer.headers.get("Retry-After") ?? 1)); });
  }
  throw new Error("it took too long. Load this page again to go on waiting");
}

/** Let what stands beside the picture do what it says. on: {overlay, told} where there is a map. */
function live(place, view, on) {
  const side = view.querySelector(".side"), asking = side.querySelector(".asking"), bands = side.querySelector(".bands");
  const out = side.querySelector("output");
  if (on) {
    opacity(side.querySelector(".opacity"), on.overlay);
    if (!out.textContent) out.append(made("span", { className: "help", textContent: "Rest on the map with the pointer, or type a place." }));
    on.told.out = out;
  }
  asking?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { lon, lat } = asking.elements;
    const value = await valueAt(view.dataset.values, lon.value, lat.value).catch(() => "The server cannot be reached.");
    out.textContent = `${lon.value}, ${lat.value}: ${value}`;
  });
  bands?.addEventListener("submit", (event) => {
    event.preventDefault();
    another(place, view, on, bands).catch((error) => { bands.append(made("p", { textContent: error.message })); });
  });
  bands?.elements.band.addEventListener("change", () => bands.requestSubmit());
}

/** Show another band in the same place. */
async function another(place, view, on, bands) {
  const address = new URL(bands.action);
  address.searchParams.set("band", bands.elements.band.value);
  place.dataset.raster = address.href;
  bands.setAttribute("aria-busy", "true");
  const next = await drawn(address);
  if (place.dataset.raster !== address.href) return; // yet another is wanted
  if (!next.dataset.picture) return void place.replaceChildren(next);
  Object.assign(view.dataset, next.dataset);
  on?.overlay.setUrl(next.dataset.picture);
  if (!on) view.querySelector(".plain").replaceWith(next.querySelector(".plain"));
  const focused = bands.contains(document.activeElement);
  view.querySelector(".side").replaceWith(next.querySelector(".side"));
  live(place, view, on);
  if (focused) view.querySelector(".bands").elements.band.focus();
}

/** The value at a place, in words. */
export async function valueAt(address, lon, lat) {
  const place = new URL(address, location.href);
  place.searchParams.set("lon", lon);
  place.searchParams.set("lat", lat);
  const answer = await fetch(place, { headers: { Accept: "application/json" } });
  const found = await answer.json();
  if (!answer.ok || found.error) return found.error ?? found.detail ?? "The value cannot be read.";
  return found.values ? `${found.told} (row ${found.row}, column ${found.column})` : "outside";
}

/** Tell the value where the pointer rests. Gives {out}: where it is said, too. */
function hover({ L, map }, view) {
  const tip = L.tooltip({ className: "value-tip", offset: [12, 0], direction: "auto" });
  const told = { out: null };
  let timer = 0, asked = 0;
  map.on("mousemove", ({ latlng }) => {
    clearTimeout(timer);
    tip.remove();
    asked += 1;
    const current = asked;
    timer = setTimeout(async () => {
      const lon = wrapped(latlng.lng).toFixed(7), lat = latlng.lat.toFixed(7);
      const value = await valueAt(view.dataset.values, lon, lat).catch(() => "The server cannot be reached.");
      if (current !== asked) return; // the pointer has moved on
      told.out.textContent = `${lon}, ${lat}: ${value}`;
      tip.setLatLng(latlng).setContent(made("span", { textContent: value })).addTo(map);
    }, REST);
  });
  map.on("mouseout", () => {
    clearTimeout(timer);
    asked += 1;
    tip.remove();
  });
  return told;
}

function opacity(label, overlay) {
  const range = label.querySelector("input");
  range.value = 100 * overlay.options.opacity;
  range.addEventListener("input", () => overlay.setOpacity(range.value / 100));
  label.hidden = false;
}

function made(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}
