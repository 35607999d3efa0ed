// A raster as a picture on a map: its legend, and the value at a place where the pointer rests or that somebody types.

import { makeMap } from "./map.js";
import { wrapped } from "./places.js";

const REST = 120; // milliseconds that the pointer stays where it is, until its value is asked for
const LONGEST = 120; // seconds that a picture is waited for

/** Wait for the picture of a raster, and show it. */
export async function showRaster(place) {
  const wait = place.querySelector(".wait");
  wait.textContent = "The picture is being drawn...";
  const said = await picture(place.dataset.picture);
  if (said.error) return void (wait.textContent = `There is no picture: ${said.error}`);
  wait.remove();
  const label = place.dataset.label;
  if (!said.bounds) {
    const image = made("img", { src: said.href, alt: `Picture of ${label}`, className: "plain" });
    place.append(image, legend(said), facts(said));
    place.prepend(made("p", { className: "quiet", textContent: "It does not say where on earth it lies." }));
    return;
  }
  const canvas = made("div"), out = made("output");
  out.append(made("span", { className: "help", textContent: "Rest on the map with the pointer, or type a place." }));
  const side = made("div", { className: "side" });
  place.classList.add("drawn");
  place.append(canvas, side);
  const view = await makeMap(canvas, `Map of ${label}; the fields beside it tell the value at a place`);
  const overlay = view.L.imageOverlay(said.href, said.bounds, { alt: `Picture of ${label}`, className: "pixels" });
  overlay.addTo(view.map);
  view.map.fitBounds(said.bounds, { padding: [12, 12], maxZoom: 18, animate: false });
  side.append(legend(said), opacity(overlay), asking(place.dataset.values, out), out, facts(said));
  hover(view, place.dataset.values, out);
}

/** What is to be said of the picture, as soon as it is there. */
async function picture(address) {
  const deadline = Date.now() + LONGEST * 1000;
  while (Date.now() < deadline) {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (answer.status !== 202 && answer.status !== 503) {
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      return answer.json();
    }
    await new Promise((resolve) => { setTimeout(resolve, 1000 * Number(answer.headers.get("Retry-After") ?? 1)); });
  }
  return { error: "it took too long. Load this page again to go on waiting." };
}

/** The value at a place, in words. */
export async function valueAt(address, lon, lat) {
  const answer = await fetch(`${address}?lon=${lon}&lat=${lat}`, { headers: { Accept: "application/json" } });
  const found = await answer.json();
  if (!answer.ok || found.error) return found.error ?? found.detail ?? "The value cannot be read.";
  if (!found.values) return "outside";
  const values = found.values.map((value) => (value === null ? "no data" : String(value)));
  return `${values.join(", ")} (row ${found.row}, column ${found.column})`;
}

function hover({ L, map }, address, out) {
  const tip = L.tooltip({ className: "value-tip", offset: [12, 0], direction: "right" });
  let timer = 0, asked = 0;
  map.on("mousemove", ({ latlng }) => {
    clearTimeout(timer);
    tip.remove();
    asked += 1;
    const current = asked;
    timer = setTimeout(async () => {
      const lon = wrapped(latlng.lng).toFixed(7), lat = latlng.lat.toFixed(7);
      const value = await valueAt(address, lon, lat).catch(() => "The server cannot be reached.");
      if (current !== asked) return; // the pointer has moved on
      out.textContent = `${lon}, ${lat}: ${value}`;
      tip.setLatLng(latlng).setContent(made("span", { textContent: value })).addTo(map);
    }, REST);
  });
  map.on("mouseout", () => {
    clearTimeout(timer);
    asked += 1;
    tip.remove();
  });
}

/** Fields for who has no pointer: the value at a longitude and latitude. */
function asking(address, out) {
  const form = made("form", { className: "row asking" });
  const fields = ["Longitude", "Latitude"].map((name) => {
    const field = made("input", { type: "number", step: "any", required: true, min: name === "Latitude" ? -90 : -360,
      max: name === "Latitude" ? 90 : 360 });
    form.append(made("label", {}, [name, field]));
    return field;
  });
  form.append(made("button", { className: "small", textContent: "Read the value" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [lon, lat] = fields.map((field) => field.value);
    const value = await valueAt(address, lon, lat).catch(() => "The server cannot be reached.");
    out.textContent = `${lon}, ${lat}: ${value}`;
  });
  return form;
}

function opacity(overlay) {
  const range = made("input", { type: "range", min: 0, max: 100, value: 100 });
  range.addEventListener("input", () => overlay.setOpacity(range.value / 100));
  return made("label", { className: "opacity" }, ["Opacity", range]);
}

/** What the colours mean. */
function legend({ statistics, legend: { kind, entries, more, low, high, colours, bands } }) {
  const box = made("div", { className: "legend" });
  if (kind === "values") {
    for (const { value, colour, share } of entries) {
      const swatch = made("span", { className: "swatch" });
      swatch.style.background = colour;
      box.append(made("div", { className: "entry" }, [swatch, `${value}`, made("span", {
        className: "quiet", textContent: ` ${share} %`,
      })]));
    }
    if (more) box.append(made("div", { textContent: `and ${more} more, less frequent` }));
    const read = statistics.whole ? "" : ", as read, in fewer pixels";
    box.append(made("div", { className: "quiet", textContent: `Shares are of the valid pixels${read}` }));
  } else if (kind === "ramp") {
    const ramp = made("div", { className: "ramp" });
    ramp.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
    box.append(ramp, made("div", { className: "row apart" }, [made("span", { textContent: low }), made("span", { textContent: high })]));
  } else {
    box.append(`Bands ${bands.join(", ")} as red, green and blue`);
  }
  return box;
}

function facts({ size, bands, type, nodata, crs, resolution, statistics, legend: { kind } }) {
  const list = made("dl");
  const rows = [
    ["Size", `${size[0]} x ${size[1]} pixels of ${resolution.join(" x ")}`],
    ["CRS", crs ?? "none"],
    ["Bands", bands === 1 ? `1, ${type}` : `${bands}, ${type}${kind === "colours" ? "" : "; the first is shown"}`],
    ["No data", nodata ?? "none"],
    ["Valid", `${statistics.valid} %`],
  ];
  if ("min" in statistics && kind === "ramp") {
    const mean = "mean" in statistics ? `, mean ${statistics.mean}` : ""; // its sum may be no number any more
    const deviation = "std" in statistics ? `, deviation ${statistics.std}` : "";
    rows.push(["Values", `${statistics.min} to ${statistics.max}${mean}${deviation}${
      statistics.whole ? "" : "; as drawn, in fewer pixels"}`]);
  }
  for (const [name, text] of rows) list.append(made("dt", { textContent: name }), made("dd", { textContent: text }));
  return list;
}

function made(name, properties = {}, content = []) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...content);
  return element;
}
