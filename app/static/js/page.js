// What every page does: times in the reader's zone, ids and texts to copy.

const formats = [
  ["d", 86400], ["h", 3600], ["min", 60], ["s", 1],
];

/** "3 min ago", "in 2 d". */
export function ago(time, now = Date.now()) {
  const seconds = (now - time) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  const [name, length] = formats.find(([, each]) => Math.abs(seconds) >= each);
  const count = Math.floor(Math.abs(seconds) / length);
  return seconds > 0 ? `${count} ${name} ago` : `in ${count} ${name}`;
}

/** Set all times below an element: how long ago, on hover in the reader's zone and in UTC. */
export function setTimes(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const utc = `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    const local = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    element.title = `${local} (${utc})`;
    const text = element.dataset.exact === undefined ? ago(moment.getTime()) : local;
    if (element.textContent !== text) element.textContent = text;
  }
}

const units = ["B", "kB", "MB", "GB", "TB"];

/** "2.7 MB", as app/pages/words.py says it. */
export function size(count) {
  let unit = 0;
  for (; count >= 999.5 && unit < units.length - 1; unit += 1) count /= 1000;
  return `${count.toFixed(unit && count < 9.95 ? 1 : 0)} ${units[unit]}`;
}

let saying = 0;

/** Tell something to who does not see it, politely. The region is emptied before, so that the same is told again. */
export function say(text) {
  const line = document.getElementById("told");
  line.textContent = "";
  clearTimeout(saying);
  saying = setTimeout(() => { line.textContent = text; }, 150);
}

/** Put a text into the clipboard, and say so, on the button for a moment. */
export async function copy(text, button) {
  const said = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Select and copy it yourself");
  if (!labels.has(button)) labels.set(button, [...button.childNodes]); // which it may not have at the moment
  button.textContent = said;
  say(said);
  setTimeout(() => button.replaceChildren(...labels.get(button)), 1500);
}
const labels = new WeakMap();

/** What a form did that led here is told once: an address that is kept, or loaded again, does not tell it again. */
function tell() {
  const text = document.querySelector("[data-told]")?.textContent;
  if (!text) return;
  say(text);
  const address = new URL(location.href);
  for (const name of ["said", "removed", "dismissed"]) address.searchParams.delete(name);
  history.replaceState(null, "", address);
}

/** Make a page, or a copy of one, what it is with scripts. <button data-copy="id of an element"> is hidden without. */
export function dress(root = document) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
  setTimes(root);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(document.getElementById(button.dataset.copy).textContent, button);
});

dress();
tell();
setInterval(setTimes, 5000);
