// What a pointer, or keys, draw on a map: a rectangle, or points that are a polygon, a line or one point.

import { digitsAt, wrapped } from "./places.js";

const CLICK = 6; // pixels that a pointer may move and still click

/**
 * Watch the pointer on a map that stands still meanwhile, and the keys: these are meant for the place in the middle,
 * where a cross is, and the map moves below it. moved: called with that place then. Gives what ends it.
 */
function watched(map, moved, events) {
  const element = map.getContainer();
  const ours = (event) => event.isPrimary !== false && event.button <= 0 && !event.target.closest(".leaflet-control");
  const heard = Object.entries(events).map(([name, act]) => {
    const keyed = name.startsWith("key");
    const listen = (event) => {
      if (!keyed && !ours(event)) return;
      element.classList.toggle("keyed", keyed || (name === "pointermove" && element.classList.contains("keyed")));
      act(event, keyed ? map.getCenter() : map.mouseEventToLatLng(event));
    };
    element.addEventListener(name, listen, { capture: true });
    return [name, listen];
  });
  const follow = () => { if (element.classList.contains("keyed")) moved(map.getCenter()); };
  map.on("move", follow);
  map.dragging.disable();
  map.doubleClickZoom.disable();
  element.classList.add("drawing");
  return () => {
    for (const [name, listen] of heard) element.removeEventListener(name, listen, { capture: true });
    map.off("move", follow);
    map.dragging.enable();
    map.doubleClickZoom.enable();
    element.classList.remove("drawing", "keyed");
  };
}

/** Draw a rectangle by a drag, two clicks, or keys. done: called with its bounds, or null. Gives what breaks it off. */
export function drawRectangle({ L, map }, _, done) {
  let start = null, from = null, shape = null;
  function apart(place) {
    const { x, y } = map.latLngToContainerPoint(start).subtract(map.latLngToContainerPoint(place));
    return Math.min(Math.abs(x), Math.abs(y)) > 1 && Math.hypot(x, y) > CLICK;
  }
  function stretch(place) {
    if (!start) return;
    const bounds = L.latLngBounds(start, place);
    shape ??= L.rectangle(bounds, { className: "feature marked", interactive: false }).addTo(map);
    shape.setBounds(bounds);
  }
  const end = watched(map, stretch, {
    pointerdown(event, place) {
      event.preventDefault();
      map.getContainer().focus({ preventScroll: true });
      from = place;
      start ??= place;
    },
    pointermove: (_, place) => stretch(place),
    pointerup(event, place) {
      if (!start || !from) return;
      from = null;
      if (apart(place)) done(L.latLngBounds(start, place));
    },
    keydown(event, place) {
      if (event.key === "Escape") return done(null);
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      if (!start) start = place;
      else if (apart(place)) done(L.latLngBounds(start, place));
    },
  });
  return () => { end(); shape?.remove(); };
}

/**
 * Draw a polygon, a line or a point by clicks or keys. done: called with a geometry of GeoJSON, or null.
 * Gives what breaks it off.
 */
export function drawPath({ L, map }, type, done) {
  const least = { Point: 1, LineString: 2, Polygon: 3 }[type];
  const path = L.polyline([], { className: "feature marked", interactive: false }).addTo(map);
  const dots = L.layerGroup().addTo(map);
  let points = [], from = null;

  function show(next) {
    const ends = type === "Polygon" && points.length > 1 ? [points[0]] : [];
    path.setLatLngs(next ? [...points, next, ...ends] : [...points, ...ends]);
    dots.clearLayers();
    for (const each of points) L.circleMarker(each, { radius: 4, className: "vertex", interactive: false }).addTo(dots);
  }
  function finish() {
    if (points.length >= least) done(geometry(type, points, map.getZoom()));
  }
  const near = (one, other) => map.latLngToContainerPoint(one).distanceTo(map.latLngToContainerPoint(other)) <= CLICK;
  function put(place) {
    const closes = points.length >= least && (near(points[0], place) || near(points.at(-1), place));
    if (closes) return finish(); // a double click, or a click on the first point
    points.push(place);
    show();
    if (type === "Point") finish();
  }
  const follow = (place) => { if (points.length) show(place); };
  const end = watched(map, follow, {
    pointerdown(event) {
      event.preventDefault();
      map.getContainer().focus({ preventScroll: true });
      from = [event.clientX, event.clientY];
    },
    pointermove: (_, place) => follow(place),
    pointerup(event, place) {
      if (from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) <= CLICK) put(place);
    },
    keydown(event, place) {
      if (event.key === " ") put(place);
      else if (event.key === "Enter") finish();
      else if (event.key === "Escape") done(null);
      else if (event.key === "Backspace") points = points.slice(0, -1);
      else return;
      event.preventDefault();
      if (event.key === "Backspace") show();
    },
  });
  return () => { end(); path.remove(); dots.remove(); };
}

/** Points as a geometry: polygons closed, and counterclockwise (RFC 7946, 3.1.6). */
function geometry(type, points, zoom) {
  const digits = digitsAt(zoom);
  const placed = points.map(({ lat, lng }) => [Number(wrapped(lng).toFixed(digits)), Number(lat.toFixed(digits))]);
  if (type === "Point") return { type, coordinates: placed[0] };
  if (type === "LineString") return { type, coordinates: placed };
  const ring = [...placed, placed[0]];
  const area = ring.slice(1).reduce((sum, [x, y], i) => sum + ring[i][0] * y - x * ring[i][1], 0);
  return { type, coordinates: [area < 0 ? ring.reverse() : ring] };
}
