// A table of the properties of features, for those that were too many for the server to read, or to write.

const ROWS = 100, COLUMNS = 24, LETTERS = 300; // a page has as many rows as the server writes

/** A number as people read it: six digits or more, the whole ones all of them. */
export function number(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e21) return String(value);
  if (size < 1 || size >= 1e15) return String(Number(value.toPrecision(6)));
  return String(Number(value.toFixed(Math.max(1, 7 - Math.floor(size).toString().length))));
}

const text = (value) => {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return number(value);
  const whole = typeof value === "string" ? value : JSON.stringify(value);
  return whole.length > LETTERS ? `${whole.slice(0, LETTERS)}...` : whole;
};

function made(name, content, properties = {}) {
  const element = Object.assign(document.createElement(name), properties);
  if (Array.isArray(content)) element.append(...content);
  else if (content !== undefined) element.textContent = content;
  return element;
}

/**
 * The rows of features beside their map: those that the page came with, if these are all; else pages of them.
 * box: holds map and table. Gives {body, turnTo(number)}: to the page that has a feature; null where none has properties.
 */
export function rowsOf(box, features, label, dress) {
  const written = box.querySelector("tbody");
  const items = features[0]?.stac_version !== undefined; // their rows are of their assets, which the server knows better
  if (written && (items || written.rows.length >= features.length)) {
    dress(written);
    return { body: written, turnTo: () => {} };
  }
  return paged(box, features, label, dress);
}

function paged(box, features, label, dress) {
  const cells = features.map((each) => ({ ...("id" in (each ?? {}) ? { id: each.id } : {}), ...each?.properties }));
  const columns = [...new Set(cells.slice(0, ROWS).flatMap(Object.keys))].slice(0, COLUMNS);
  if (!columns.length) return null;
  const body = made("tbody");
  const titles = columns.map((name) => made("th", name, { scope: "col" }));
  const table = made("table", [made("thead", [made("tr", titles)]), body], { className: "dense" });
  const scroll = made("div", [table], { className: "scroll", tabIndex: 0 });
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", `${label}, as a table`);
  const said = made("span", "", { className: "quiet" });
  said.setAttribute("role", "status");
  const turns = [["Previous", -1], ["Next", 1]].map(([name, by]) => {
    const button = made("button", [name, made("span", ` rows of ${label}`, { className: "visually-hidden" })]);
    Object.assign(button, { type: "button", className: "small" });
    button.addEventListener("click", () => show(page + by));
    return button;
  });
  let page = 0;

  function show(wanted) {
    page = Math.min(Math.max(wanted, 0), Math.ceil(cells.length / ROWS) - 1);
    const first = page * ROWS;
    body.replaceChildren(...cells.slice(first, first + ROWS).map((each, place) => {
      const row = made("tr", columns.map((name) => made("td", text(each[name]))));
      row.dataset.feature = first + place;
      return row;
    }));
    dress(body);
    said.textContent = `${first + 1} to ${Math.min(first + ROWS, cells.length)} of ${cells.length}`;
    turns[0].disabled = page === 0;
    turns[1].disabled = first + ROWS >= cells.length;
    scroll.scrollTop = 0;
  }

  show(0);
  const before = box.querySelector(".cells"), links = before?.querySelectorAll(".left-out a") ?? []; // to the file
  const parts = cells.length > ROWS ? [scroll, made("p", [...turns, said, ...links], { className: "row quiet" })] : [scroll];
  const after = made("div", parts, { className: "cells" });
  if (before) before.replaceWith(after);
  else box.append(after);
  return { body, turnTo: (number) => { if (Math.floor(number / ROWS) !== page) show(Math.floor(number / ROWS)); } };
}
