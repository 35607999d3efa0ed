// The list of jobs: rows are renewed in place; new jobs are announced, and do not push the rows away.
import { copy, morph, repeat } from "./live.js";
import { say } from "./page.js";

const EVERY = 3000, HIDDEN = 30000; // ms
const first = !new URLSearchParams(location.search).has("cursor");

repeat(async () => {
  const fresh = await copy();
  const rows = [...fresh.querySelectorAll("tbody tr[id]")];
  const known = rows.map((row) => document.getElementById(row.id));
  rows.forEach((row, number) => { if (known[number]) morph(known[number], row); });
  fade(known.filter(Boolean));
  if (first) announce(known.every((row) => !row) ? rows.length : known.findIndex(Boolean));
  return true;
}, () => EVERY, HIDDEN);

/** Rows that are not in the list any more, though others below them are. */
function fade(known) {
  const last = known.at(-1);
  for (const row of document.querySelectorAll("tbody tr[id]")) {
    const passed = last && row.compareDocumentPosition(last) & Node.DOCUMENT_POSITION_FOLLOWING;
    row.classList.toggle("gone", Boolean(passed) && !known.includes(row));
  }
}

function announce(count) {
  const line = document.getElementById("live");
  if (Number(line.dataset.count ?? 0) === count) return;
  line.dataset.count = count;
  line.replaceChildren();
  if (!count) return;
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = count === 1 ? "Show it" : "Show them";
  const text = `${count} new job${count === 1 ? "" : "s"}.`;
  line.append(`${text} `, link);
  say(text);
}

/** The buttons for the chosen jobs are of use once there are some. */
function offer() {
  const some = document.querySelector("#changes input[name=job]:checked") !== null;
  for (const button of document.querySelectorAll(".chosen button")) button.disabled = !some;
}

document.getElementById("changes")?.addEventListener("change", offer);
document.getElementById("changes")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("input")) event.preventDefault(); // and the ticks stay
});
addEventListener("pageshow", offer); // the browser may have ticked some before
offer();
