// Draw what a form asks for. The fields stay what is sent, and the way for keyboards; the map writes into them.
//   <div data-draw="bbox" data-target="id of a fieldset">     number inputs whose names end with 0 to 3 (or 0 to 5)
//   <div data-draw="geojson" data-target="id of a textarea">  a geometry or a feature as JSON

import { addFeatures, features, fit, makeMap } from "./map.js";
import { drawPath, drawRectangle } from "./pens.js";
import { roundedBox } from "./places.js";

/** Write into a field as a person would: whoever listens hears of it. */
function write(field, value) {
  field.value = value;
  for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
}

/** The four fields of a bounding box: west, south, east, north. */
function fieldsOf(target) {
  const numbered = new Map();
  for (const input of target.querySelectorAll("input")) {
    const number = /(\d+)\D*$/.exec(input.name)?.[1];
    if (number !== undefined) numbered.set(Number(number), input);
  }
  return (numbered.size >= 6 ? [0, 1, 3, 4] : [0, 1, 2, 3]).map((number) => numbered.get(number));
}

const KINDS = {
  bbox: {
    pens: ["Rectangle"],
    fields: fieldsOf,
    read(fields) {
      const [west, south, east, north] = fields.map((field) => (field.value.trim() === "" ? NaN : Number(field.value)));
      if (![west, south, east, north].every(Number.isFinite) || south > north) return [];
      const right = west > east ? east + 360 : east; // it crosses the antimeridian
      const ring = [[west, south], [right, south], [right, north], [west, north], [west, south]];
      return [{ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [ring] } }];
    },
    write(fields, bounds, zoom) {
      roundedBox(bounds, zoom).forEach((value, number) => write(fields[number], value));
    },
  },
  geojson: {
    pens: ["Polygon", "LineString", "Point"],
    fields: (target) => [target],
    read([field]) {
      return features(parsed(field.value)) ?? [];
    },
    write([field], geometry) {
      const before = parsed(field.value);
      const after = before?.type === "Feature" ? { ...before, geometry } : geometry;
      write(field, JSON.stringify(after, null, 1));
    },
  },
};
const TITLES = { Rectangle: "Draw a rectangle", Polygon: "Draw a polygon", LineString: "Draw a line", Point: "Set a point" };
const HINTS = {
  Rectangle: "Drag from corner to corner, or click one corner and then the other.",
  Polygon: "Click each corner; a double click, or Enter, ends it. Backspace takes the last one back, Escape all.",
  LineString: "Click each point; a double click, or Enter, ends it. Backspace takes the last one back, Escape all.",
  Point: "Click the place.",
};

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

/** Offer a map beside the fields; it is made when somebody opens it. */
export function offer(place) {
  const kind = KINDS[place.dataset.draw];
  const target = document.getElementById(place.dataset.target);
  const fields = kind && target ? kind.fields(target) : [];
  if (!fields.length || fields.includes(undefined) || place.childElementCount) return;
  const open = button("Draw on a map"), inner = document.createElement("div");
  inner.hidden = true;
  open.setAttribute("aria-expanded", "false");
  place.append(open, inner);
  let drawing = null;
  open.addEventListener("click", async () => {
    inner.hidden = !inner.hidden;
    open.setAttribute("aria-expanded", String(!inner.hidden));
    open.textContent = inner.hidden ? "Draw on a map" : "Close the map";
    if (inner.hidden) return (await drawing)?.hidden();
    drawing ??= board(inner, kind, fields).catch(() => { inner.textContent = "The map could not be loaded."; });
    (await drawing)?.shown();
  });
}

/** The map with its pens, and what the fields say on it. */
async function board(inner, kind, fields) {
  const row = document.createElement("div"), canvas = document.createElement("div"), hint = document.createElement("p");
  row.className = "row";
  hint.className = "help";
  hint.setAttribute("role", "status");
  inner.append(row, hint, canvas);
  const view = await makeMap(canvas, "A map to draw on; the fields say the same in numbers");
  let shown = null, put = [], stop = null, held = null;

  function show() {
    put = kind.read(fields);
    shown?.layer.remove();
    shown = addFeatures(view, put);
  }
  const pens = kind.pens.map((name) => {
    const pen = button(TITLES[name]);
    pen.setAttribute("aria-pressed", "false");
    pen.addEventListener("click", () => (held === pen ? stop() : take(name, pen)));
    return pen;
  });
  row.append(...pens);

  function take(name, pen) {
    stop?.();
    held = pen;
    pen.setAttribute("aria-pressed", "true");
    hint.textContent = HINTS[name];
    const draw = name === "Rectangle" ? drawRectangle : drawPath;
    const end = draw(view, name, (result) => {
      stop();
      if (result !== null) kind.write(fields, result, view.map.getZoom());
    });
    stop = () => {
      end();
      stop = held = null;
      pen.setAttribute("aria-pressed", "false");
      hint.textContent = "";
    };
  }
  let waits = 0;
  for (const field of fields) {
    field.addEventListener("input", () => {
      clearTimeout(waits);
      waits = setTimeout(show, 50);
    });
  }
  show();
  return {
    hidden: () => stop?.(),
    shown() {
      view.map.invalidateSize();
      if (put.length) fit(view, shown.layer.getBounds());
      if (kind.pens.length === 1 && !put.length && !stop) pens[0].click(); // there is but one thing to do
    },
  };
}

function button(text) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className: "small", textContent: text });
  return made;
}

for (const place of document.querySelectorAll("[data-draw]")) offer(place);
