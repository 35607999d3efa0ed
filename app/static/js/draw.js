// Draw what a form asks for. The fields stay what is sent, and the way for keyboards; the map writes into them.
//   <div data-draw="bbox" data-target="id of a fieldset">     number inputs whose names end with 0 to 3 (or 0 to 5)
//   <div data-draw="geojson" data-target="id of a textarea">  a geometry or a feature as JSON

import { held as entriesOf } from "./entries.js";
import { CLOSEST, addFeatures, features, fit, makeMap } from "./map.js";
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

const KEYS = "By keys: arrows move the map, + and - zoom. With a tool in hand, Space sets a point where the cross is, Enter ends, Escape gives up.";
const PAUSE = 150; // ms after the last key until the map shows what was typed

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

/** Offer a map beside the fields; it is made when somebody opens it. */
export function offer(place) {
  const kind = KINDS[place.dataset.draw];
  const target = document.getElementById(place.dataset.target);
  const fields = kind && target ? kind.fields(target) : [];
  if (!fields.length || fields.includes(undefined) || place.childElementCount) return;
  const title = place.dataset.title ?? "";
  const open = button("Draw on a map", title), inner = document.createElement("div");
  inner.hidden = true;
  open.setAttribute("aria-expanded", "false");
  place.append(open, inner);
  let drawing = null;
  open.addEventListener("click", async () => {
    inner.hidden = !inner.hidden;
    open.setAttribute("aria-expanded", String(!inner.hidden));
    open.firstChild.data = inner.hidden ? "Draw on a map" : "Close the map";
    if (inner.hidden) return (await drawing)?.hidden();
    drawing ??= board(inner, kind, fields, title).catch(() => { inner.textContent = "The map could not be loaded."; });
    (await drawing)?.shown();
  });
}

/** The map with its pens, and what the fields say on it. title: of what is drawn. */
async function board(inner, kind, fields, title) {
  const row = made("div", "row"), canvas = made("div"), hint = made("p", "help"), keys = made("p", "help", KEYS);
  const note = made("p", "help");
  hint.setAttribute("role", "status");
  inner.append(row, hint, canvas, note, keys);
  const view = await makeMap(canvas, `A map to draw on${title && `, for ${title}`}; the fields say the same in numbers`, { wheel: true });
  keys.id = `${fields[0].id}-keys`;
  canvas.setAttribute("aria-describedby", keys.id);
  const begin = firstView(view, inner.closest("form"), note);
  let shown = null, put = [], waits = 0, drawn = false, typed = false;
  const pens = penbox(view, kind.pens, title, hint, (result) => {
    drawn = true; // it is in sight
    kind.write(fields, result, view.map.getZoom());
    drawn = false;
  });
  row.append(...pens.buttons);

  function show() {
    put = kind.read(fields);
    shown?.layer.remove();
    shown = addFeatures(view, put);
  }
  for (const field of fields) {
    field.addEventListener("input", () => {
      typed ||= !drawn;
      clearTimeout(waits);
      waits = setTimeout(() => {
        show();
        if (typed && !inner.hidden) bringIntoSight(view, shown.layer.getBounds());
        typed = false;
      }, PAUSE);
    });
  }
  show();
  return {
    hidden: pens.lay,
    shown() {
      view.map.invalidateSize();
      if (put.length) fit(view, shown.layer.getBounds());
      else begin();
      if (kind.pens.length === 1 && !put.length) pens.take(kind.pens[0]); // there is but one thing to do
    },
  };
}

/** The pens, of which one is in hand at most. done: takes what was drawn. Gives {buttons, take(name), lay()}. */
function penbox(view, names, title, hint, done) {
  const buttons = new Map(names.map((name) => [name, button(TITLES[name], title)]));
  let held = null, end = null;

  function lay() {
    end?.();
    buttons.get(held)?.setAttribute("aria-pressed", "false");
    held = end = null;
    hint.textContent = "";
  }
  function take(name) {
    if (held === name) return;
    lay();
    held = name;
    buttons.get(name).setAttribute("aria-pressed", "true");
    hint.textContent = HINTS[name];
    const draw = name === "Rectangle" ? drawRectangle : drawPath;
    end = draw(view, name, (result) => {
      lay();
      if (result === null) return buttons.get(name).focus();
      hint.textContent = "It is drawn, and stands in the fields.";
      done(result);
    });
  }
  for (const [name, pen] of buttons) {
    pen.setAttribute("aria-pressed", "false");
    pen.addEventListener("click", () => {
      if (held === name) return lay();
      take(name);
      view.map.getContainer().focus({ preventScroll: true }); // for the keys
    });
  }
  return { buttons: [...buttons.values()], take, lay };
}

/** What shows where the other inputs of a form lie, as far as the server can tell, to who has not moved the map yet. */
function firstView(view, form, note) {
  const { L, map } = view;
  let outline = null, used = false;
  for (const kind of ["pointerdown", "wheel", "keydown"]) {
    map.getContainer().addEventListener(kind, () => { used = true; }, { once: true, passive: true, capture: true });
  }
  return async () => {
    if (!form?.dataset.extent) return;
    const asked = { method: "POST", body: entriesOf(form), headers: { Accept: "application/json" } };
    const answer = await fetch(form.dataset.extent, asked).catch(() => null);
    const { of, bbox } = answer?.ok ? await answer.json() : {};
    outline?.remove();
    outline = null;
    note.textContent = bbox ? `The dashed box is where the input ${of} lies.` : "";
    if (!bbox) return;
    const [west, south, east, north] = bbox;
    const bounds = L.latLngBounds([south, west], [north, west > east ? east + 360 : east]);
    outline = L.rectangle(bounds, { className: "around", interactive: false, weight: 2 }).addTo(map);
    if (!used) fit(view, bounds);
  };
}

/** Show all of these bounds, unless they can be seen well as it is. */
function bringIntoSight(view, bounds) {
  if (!bounds.isValid()) return;
  const { map } = view, best = Math.min(map.getBoundsZoom(bounds), CLOSEST);
  if (!map.getBounds().contains(bounds) || Math.abs(best - map.getZoom()) > 3) fit(view, bounds);
}

function made(name, className = "", text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

/** of: what it is about, for who hears its name alone. */
function button(text, of) {
  const pressed = Object.assign(made("button", "small", text), { type: "button" });
  if (of) pressed.append(made("span", "visually-hidden", ` for ${of}`));
  return pressed;
}

for (const place of document.querySelectorAll("[data-draw]")) offer(place);
