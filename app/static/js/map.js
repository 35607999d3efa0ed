// Maps: the outline of the world, the tiles of a host where the settings name one, and what is put on them.
// Leaflet is loaded when the first map is made: pages that show none do not pay for it.

import { gridded } from "./graticule.js";

const here = (path) => new URL(`../vendor/${path}`, import.meta.url).href;
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
export const WORLD = [[-60, -180], [80, 180]];
export const CLOSEST = 17; // zoom by itself
const MANY = 1000; // features that are no elements of the page any more
let leaflet, world;

/** Leaflet, with its styles. */
export function load() {
  leaflet ??= (async () => {
    const styles = document.createElement("link");
    Object.assign(styles, { rel: "stylesheet", href: here("leaflet/leaflet.css") });
    const styled = new Promise((resolve, reject) => {
      styles.addEventListener("load", resolve);
      styles.addEventListener("error", () => reject(new Error("the styles of the map did not come")));
    });
    document.head.prepend(styles); // before ours, which say what is different
    await Promise.all([styled, import(here("leaflet/leaflet.js"))]);
    return globalThis.L;
  })();
  return leaflet;
}

/**
 * A map in an element. label: what it shows, for who cannot see it; wheel: it zooms at once, as somebody has opened
 * the map to use it. Gives {L, map}.
 */
export async function makeMap(element, label, { wheel = false } = {}) {
  const L = await load();
  const tiles = document.documentElement.dataset.tiles;
  const moves = !still();
  element.classList.add("map");
  const map = L.map(element, {
    zoomSnap: tiles ? 1 : 0.25, maxZoom: 24, minZoom: 0, scrollWheelZoom: wheel, worldCopyJump: false,
    zoomControl: false, maxBounds: [[-90, -540], [90, 540]], maxBoundsViscosity: 1,
    zoomAnimation: moves, fadeAnimation: moves, markerZoomAnimation: moves, inertia: moves,
  });
  if (!moves) map.panBy = (offset, options) => L.Map.prototype.panBy.call(map, offset, { ...options, animate: false });
  element.setAttribute("role", "group"); // it is operated by keys: arrows, plus and minus
  element.setAttribute("aria-label", label);
  if (!wheel) { // it scrolls the page until somebody begins to use the map
    map.on("focus", () => map.scrollWheelZoom.enable());
    map.on("blur", () => map.scrollWheelZoom.disable());
  }
  map.attributionControl.setPrefix(false);
  const [what] = label.split(";"); // a page may have several maps
  L.control.zoom({ zoomInTitle: `Zoom in: ${what}`, zoomOutTitle: `Zoom out: ${what}` }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  map.fitBounds(WORLD);
  addWorld(L, map);
  if (tiles) tileLayer(L, tiles).addTo(map);
  else gridded(L, map);
  return { L, map };
}

/** Land and borders, three times: a map that crosses the antimeridian shows what lies on both sides. */
async function addWorld(L, map) {
  map.createPane("world").style.zIndex = 150; // below tiles
  map.getPane("world").style.pointerEvents = "none";
  world ??= fetch(here("natural-earth/world.json")).then((answer) => answer.json());
  const outline = await world.catch(() => null);
  if (!outline || !map.getPane("world")) return; // the map is of use without it, too
  const renderer = L.svg({ pane: "world", padding: 0.5 });
  for (const turn of [-360, 0, 360]) {
    L.geoJSON(outline, {
      pane: "world", renderer, interactive: false,
      coordsToLatLng: ([lon, lat]) => L.latLng(lat, lon + turn),
      style: ({ properties }) => ({ className: properties.kind, weight: 0.75 }),
    }).addTo(map);
  }
}

function tileLayer(L, template) {
  const layer = L.tileLayer(template, { maxNativeZoom: 19, maxZoom: 24, noWrap: false });
  const text = document.documentElement.dataset.tilesBy || `Tiles: ${new URL(template.replaceAll("{s}", "a")).host}`;
  layer.options.attribution = escaped(text);
  // Leaflet's own show an image with a data: address in place of what is not wanted any more; no page of ours may
  layer._abortLoading = () => {};
  layer._removeTile = (key) => {
    layer._tiles[key]?.el.removeAttribute("src");
    L.GridLayer.prototype._removeTile.call(layer, key);
  };
  return layer;
}

function escaped(text) {
  const element = document.createElement("span");
  element.textContent = text;
  return element.innerHTML;
}

/** What GeoJSON holds, as features: a geometry, a feature, or a collection of either. Null where it is none. */
export function features(value) {
  if (value?.type === "FeatureCollection" && Array.isArray(value.features)) return value.features.filter(Boolean);
  if (value?.type === "Feature") return [value];
  if (value?.type === "GeometryCollection" || Array.isArray(value?.coordinates)) {
    return [{ type: "Feature", properties: {}, geometry: value }];
  }
  return null;
}

function* positions(part) {
  if (Array.isArray(part) && typeof part[0] === "number") yield part;
  else if (Array.isArray(part)) for (const each of part) yield* positions(each);
  else if (part && typeof part === "object") {
    yield* positions(part.geometries ?? part.geometry ?? part.coordinates ?? []);
  }
}

/** Whether a feature lies where longitudes and latitudes can: some write metres. */
export function onEarth(feature) {
  for (const [lon, lat] of positions(feature)) if (!(Math.abs(lon) <= 540 && Math.abs(lat) <= 90)) return false;
  return true;
}

/** Whether features fit together better with the antimeridian in the middle. */
export function crosses(found) {
  const here = [Infinity, -Infinity], there = [Infinity, -Infinity];
  for (const [lon] of positions(found)) {
    const shifted = lon < 0 ? lon + 360 : lon;
    [here[0], here[1]] = [Math.min(here[0], lon), Math.max(here[1], lon)];
    [there[0], there[1]] = [Math.min(there[0], shifted), Math.max(there[1], shifted)];
  }
  return here[1] - here[0] > 180 && there[1] - there[0] < here[1] - here[0];
}

/**
 * Put features on a map. on(event, number): "over", "out" and "click" of a feature.
 * Gives {layer, mark(number), bounds(number), left}; left: how many cannot be drawn, but have a geometry.
 * Many are painted on a canvas: as elements of the page they would take seconds, and every move of the map as well.
 */
export function addFeatures({ L, map }, found, on = () => {}) {
  const brush = found.length > MANY ? painted(L, map) : classed;
  const shift = crosses(found.filter(onEarth));
  const layers = [], numbers = new Map(), outer = L.featureGroup().addTo(map);
  let left = 0;
  const options = {
    ...brush.style,
    renderer: brush.renderer,
    coordsToLatLng: ([lon, lat]) => L.latLng(lat, shift && lon < 0 ? lon + 360 : lon),
    pointToLayer: (_, place) => L.circleMarker(place, { ...brush.style, renderer: brush.renderer, radius: 6 }),
  };
  found.forEach((feature, number) => {
    let layer = null;
    try {
      if (onEarth(feature)) layer = L.GeoJSON.geometryToLayer(asFeature(feature), options);
    } catch { /* it has no coordinates that are any */ }
    layers.push(layer);
    if (!layer && (feature.geometry ?? feature.coordinates)) left += 1;
    if (!layer) return;
    each(layer, (path) => numbers.set(path, number));
    layer.addTo(outer);
  });
  const heard = { mouseover: "over", mouseout: "out", click: "click" };
  outer.on(Object.keys(heard).join(" "), ({ type, layer }) => on(heard[type], numbers.get(layer)));
  brush.follow?.(outer);
  let marked = null;
  return {
    layer: outer,
    left,
    /** Show one of them as the one that is meant; null: none. */
    mark(number) {
      if (number === marked) return;
      each(layers[marked], (path) => brush.mark(path, false));
      each(layers[number], (path) => brush.mark(path, true));
      marked = number;
    },
    bounds: (number) => boundsOf(L, layers[number]),
  };
}

function asFeature(value) {
  return value.type === "Feature" ? value : { type: "Feature", properties: {}, geometry: value };
}

function boundsOf(L, layer) {
  return layer?.getBounds?.() ?? (layer?.getLatLng && L.latLngBounds([layer.getLatLng()]));
}

function each(layer, act) {
  if (layer?.eachLayer) layer.eachLayer((inner) => each(inner, act));
  else if (layer) act(layer);
}

/** Features as elements, which the styles of the page give their colours. */
const classed = {
  style: { className: "feature", weight: 2 },
  mark: (path, on) => path.getElement()?.classList.toggle("marked", on),
};

/** Features on a canvas, in the same colours; another theme has others. */
function painted(L, map) {
  const theme = matchMedia("(prefers-color-scheme: dark)");
  let shape, chosen;
  function mix() { // once for all: to ask for a colour costs as much as to paint with it
    const colours = getComputedStyle(map.getContainer());
    const of = (name) => ({ color: colours.getPropertyValue(name).trim(), fillColor: colours.getPropertyValue(name).trim() });
    shape = { ...of("--shape"), weight: 1, fillOpacity: 0.25 };
    chosen = { ...of("--chosen"), weight: 4, fillOpacity: 0.45 };
  }
  mix();
  return {
    renderer: L.canvas({ padding: 0.2, tolerance: 2 }),
    style: shape,
    mark: (path, on) => path.setStyle(on ? chosen : shape),
    follow(layer) {
      const renew = () => { mix(); layer.eachLayer((each) => each.setStyle(shape)); };
      theme.addEventListener("change", renew);
      layer.on("remove", () => theme.removeEventListener("change", renew));
    },
  };
}

/** Show all of these bounds, a point from near enough. */
export function fit({ map }, bounds) {
  if (bounds?.isValid()) map.fitBounds(bounds, { padding: [24, 24], maxZoom: CLOSEST, animate: false });
}
