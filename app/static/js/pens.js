// What a pointer draws on a map: a rectangle, or points that are a polygon, a line or one point.

import { digitsAt, wrapped } from "./places.js";

const CLICK = 6; // pixels that a pointer may move and still click

/** Watch the pointer on a map that stands still meanwhile. Gives what ends it. */
function watched(map, events) {
  const element = map.getContainer();
  const place = (event) => map.mouseEventToLatLng(event);
  const ours = (event) => event.isPrimary !== false && event.button <= 0 && !event.target.closest(".leaflet-control");
  const heard = Object.entries(events).map(([name, act]) => {
    const listen = (event) => {
      if (name.startsWith("key") || ours(event)) act(event, name.startsWith("key") ? null : place(event));
    };
    element.addEventListener(name, listen, { capture: true });
    return [name, listen];
  });
  map.dragging.disable();
  map.doubleClickZoom.disable();
  element.classList.add("drawing");
  return () => {
    for (const [name, listen] of heard) element.removeEventListener(name, listen, { capture: true });
    map.dragging.enable();
    map.doubleClickZoom.enable();
    element.classList.remove("drawing");
  };
}

/** Draw a rectangle by a drag or two clicks. done: called with its bounds, or null. Gives what breaks it off. */
export function drawRectangle({ L, map }, _, done) {
  let start = null, from = null, shape = null;
  const end = watched(map, {
    pointerdown(event, place) {
      event.preventDefault();
      map.getContainer().focus({ preventScroll: true });
      from = [event.clientX, event.clientY];
      start ??= place;
    },
    pointermove(event, place) {
      if (!start) return;
      const bounds = L.latLngBounds(start, place);
      shape ??= L.rectangle(bounds, { className: "feature marked", interactive: false }).addTo(map);
      shape.setBounds(bounds);
    },
    pointerup(event, place) {
      if (!start || !from) return;
      const moved = Math.hypot(event.clientX - from[0], event.clientY - from[1]);
      const other = map.latLngToContainerPoint(start).distanceTo(map.latLngToContainerPoint(place));
      from = null;
      if (moved > CLICK || other > CLICK) done(L.latLngBounds(start, place));
    },
    keydown(event) {
      if (event.key === "Escape") done(null);
    },
  });
  return () => { end(); shape?.remove(); };
}

/** Draw a polygon, a line or a point by clicks. done: called with a geometry of GeoJSON, or null. Gives what breaks it off. */
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
  const end = watched(map, {
    pointerdown(event) {
      event.preventDefault();
      map.getContainer().focus({ preventScroll: true });
      from = [event.clientX, event.clientY];
    },
    pointermove(_, place) {
      if (points.length) show(place);
    },
    pointerup(event, place) {
      if (!from || Math.hypot(event.clientX - from[0], event.clientY - from[1]) > CLICK) return;
      const closes = points.length >= least && (near(points[0], place) || near(points.at(-1), place));
      if (closes) return finish(); // a double click, or a click on the first point
      points.push(place);
      show();
      if (type === "Point") finish();
    },
    keydown(event) {
      if (event.key === "Enter") finish();
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
