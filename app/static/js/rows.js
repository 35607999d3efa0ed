// A table of the properties of features, for those that were too many for the server to read.

const ROWS = 100, COLUMNS = 24, LETTERS = 300;

const text = (value) => {
  if (value === null || value === undefined) return "";
  const whole = typeof value === "string" ? value : JSON.stringify(value);
  return whole.length > LETTERS ? `${whole.slice(0, LETTERS)}...` : whole;
};

function made(name, content) {
  const element = document.createElement(name);
  if (Array.isArray(content)) element.append(...content);
  else if (content !== undefined) element.textContent = content;
  return element;
}

/** Add the table to a box; its body, or null where features have no properties. */
export function addRows(box, features, label) {
  const shown = features.slice(0, ROWS).map((feature) => feature?.properties ?? {});
  const columns = [...new Set(shown.flatMap(Object.keys))].slice(0, COLUMNS);
  if (!columns.length) return null;
  const rows = shown.map((properties, number) => {
    const row = made("tr", columns.map((name) => made("td", text(properties[name]))));
    row.dataset.feature = number;
    return row;
  });
  const titles = columns.map((name) => Object.assign(made("th", name), { scope: "col" }));
  const body = made("tbody", rows), table = made("table", [made("thead", [made("tr", titles)]), body]);
  table.className = "dense";
  const scroll = Object.assign(made("div", [table]), { className: "scroll", tabIndex: 0 });
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", `${label}, as a table`);
  const cells = Object.assign(made("div", [scroll]), { className: "cells" });
  box.append(cells);
  if (features.length > ROWS) {
    cells.append(Object.assign(made("p", `The first ${ROWS} of ${features.length}.`), { className: "quiet" }));
  }
  return body;
}
