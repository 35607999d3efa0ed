// The form of a process: its buttons change it in place, and beside it stands the request that it makes.
// The server reads and changes forms; without this script each button loads the page again.

import { offer } from "./draw.js";
import { held } from "./entries.js";
import { forget, keep, kept } from "./kept.js";
import { upload } from "./upload.js";

const DELAY = 200; // ms after the last key until the request is asked for
const LONG = 20_000; // characters of what nobody reads to its end
const form = document.getElementById("run");
const panel = document.querySelector(".request");
const touched = new Set(); // ids of what was changed: only there errors are shown while somebody writes
let timer = null, asked = 0, asking = null;

document.documentElement.classList.add("scripted");

function say(text) {
  document.getElementById("request-state").textContent = text;
}

/** The session is over: what is filled in is there again after the next login. */
function ended() {
  keep(form);
  say("Your session has ended. ");
  const login = Object.assign(document.createElement("a"), { href: form.dataset.login, textContent: "Log in again" });
  document.getElementById("request-state").append(login, "; what is filled in here is kept.");
}

/** Show a text whose addresses may go on in another line: after a slash, not in a word. */
function write(place, text) {
  const parts = text.length < LONG ? text.split(/(?<=https?:\/\/[^\s"']*\w\/)(?=\w)/) : [text];
  place.replaceChildren(...parts.flatMap((part, number) => (number ? [document.createElement("wbr"), part] : [part])));
}

/** Show the request for what the form holds now. The last question counts. */
async function renew() {
  const mine = ++asked;
  asking?.abort();
  asking = new AbortController();
  panel.classList.add("waits");
  try {
    const answer = await fetch(form.dataset.request, { method: "POST", body: held(form), headers: { Accept: "application/json" }, signal: asking.signal });
    if (mine !== asked) return;
    if (answer.status === 401) return ended();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const made = await answer.json();
    for (const language of ["curl", "python", "json"]) write(document.getElementById(`request-${language}`), made[language]);
    show(made.errors);
    say("");
  } catch {
    if (mine === asked) say("The server does not answer; the request shown may be old.");
  } finally {
    if (mine === asked) panel.classList.remove("waits");
  }
}

/** Show errors at the fields that somebody has written into; what the page came with stays at the others. */
function show(errors) {
  for (const place of form.querySelectorAll("p.error[id$='-error']")) {
    const id = place.id.slice(0, -"-error".length);
    const text = touched.has(id) ? errors[id] ?? "" : place.textContent;
    if (place.textContent !== text) place.textContent = text;
    place.hidden = !text;
    for (const field of [document.getElementById(id), document.getElementById(`${id}:href`)]) if (field) mark(field, place.id, text);
  }
}

function mark(field, id, text) {
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
  const all = (text ? [...others, id] : others).join(" ");
  if (all) field.setAttribute("aria-describedby", all);
  else field.removeAttribute("aria-describedby");
  if (text && field.tagName !== "FIELDSET") field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(renew, DELAY);
}

/** What was changed, and what it is in: an error may be about all of that. */
function touch(element) {
  for (let each = element; each && each !== form; each = each.parentElement) {
    if (each.id) touched.add(each.id).add(each.id.replace(/(:href|-sides)$/, ""));
  }
}

/** What each control says, by what tells it from the others. */
function states() {
  const controls = [...form.querySelectorAll("input:not([type=hidden], [type=file]), select, textarea")];
  const key = (each) => `${each.name} ${/^(radio|checkbox)$/.test(each.type) ? each.value : ""}`;
  return new Map(controls.map((each) => [key(each), { control: each, value: each.value, checked: each.checked }]));
}

/** Bring over what was written while the server was changing the form. */
function bringOver(before, meanwhile) {
  const now = states();
  for (const [key, { value, checked }] of meanwhile) {
    const old = before.get(key), here = now.get(key)?.control;
    if (here && old && (old.value !== value || old.checked !== checked)) Object.assign(here, { value, checked });
  }
}

/** Let the server change the form as a button says, and put what it changed in place: one input. */
async function change(place, button, said) {
  const data = held(form, button), before = states();
  if (said) data.set("do", said);
  const answer = await fetch(form.dataset.change, { method: "POST", body: data, headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = document.importNode(page.getElementById(place.id), true);
  const opened = [...place.querySelectorAll("details[open]")].map(pathOf);
  const files = [...place.querySelectorAll("input[type=file]")].filter((each) => each.files.length);
  const looked = document.activeElement?.id, meanwhile = states();
  place.replaceWith(next);
  bringOver(before, meanwhile);
  for (const each of files) document.getElementById(each.id)?.replaceWith(each);
  for (const each of next.querySelectorAll("details")) if (opened.includes(pathOf(each))) each.open = true;
  for (const each of next.querySelectorAll("[data-draw]")) offer(each);
  if (place.contains(document.activeElement) || document.activeElement === document.body) {
    focus(next.querySelector("[autofocus]") ?? document.getElementById(looked) ?? next.querySelector(".held button"));
  }
  renew();
}

/** Put a form of the server in place of what is shown. */
function fill(html) {
  const next = new DOMParser().parseFromString(html, "text/html").getElementById("run");
  form.replaceChildren(...document.importNode(next, true).childNodes);
  for (const each of form.querySelectorAll("[data-draw]")) offer(each);
  renew();
}

/** Fill in what was kept, and say so. */
async function restore(entries) {
  entries.set("do", "show");
  const answer = await fetch(form.dataset.change, { method: "POST", body: entries, headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  fill(await answer.text());
  const note = document.getElementById("kept"), discard = document.createElement("button");
  Object.assign(discard, { type: "button", className: "small", textContent: "Discard them" });
  discard.addEventListener("click", async () => {
    forget(form.getAttribute("action"));
    const blank = await fetch(form.dataset.page, { headers: { Accept: "text/html" } });
    if (blank.ok) fill(await blank.text());
    focus(form.querySelector("div.input"));
  });
  note.classList.add("box");
  note.append("Your entries were kept. ", discard);
}

function pathOf(details) {
  return details.closest("[id]")?.id + details.querySelector("summary").textContent;
}

/** Look at a part of the form: at its first control where it is several. */
function focus(part) {
  const inside = part?.matches("fieldset, section") ? part.querySelector("input:not([type=hidden]), select, textarea") : null;
  (inside ?? part)?.focus();
}

/** A file is kept: the server says what, and until when. */
function showKept(field) {
  touch(field);
  change(field.closest("div.input"), null, "show").catch(later);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[name=do]");
  const place = button?.closest("div.input");
  if (!place || !form.contains(place)) return;
  event.preventDefault();
  if (button.dataset.remove) fetch(button.dataset.remove, { method: "DELETE" }).catch(() => {}); // it expires anyway
  change(place, button).catch(() => { form.requestSubmit(button); });
});
document.addEventListener("change", (event) => {
  if (!form.contains(event.target)) return;
  if (event.target.type === "file") {
    if (form.dataset.uploads) upload(event.target, form.dataset.uploads, showKept);
    return;
  }
  touch(event.target);
  const said = event.target.dataset.do;
  if (said) change(event.target.closest("div.input"), null, said).catch(() => say("The server does not answer; try it again."));
  else later();
});
document.addEventListener("input", (event) => {
  if (!form.contains(event.target)) return;
  touch(event.target);
  later();
});
// numbers are text, so that nothing typed is lost; the arrow keys count as they do elsewhere
document.addEventListener("keydown", (event) => {
  const { step, low, high } = event.target.dataset ?? {};
  const up = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!up || step === undefined || !form.contains(event.target)) return;
  const before = event.target.value.trim() === "" ? Number(low ?? 0) - up * Number(step) : Number(event.target.value);
  if (!Number.isFinite(before)) return;
  event.preventDefault();
  const digits = Math.max(...[before, Number(step)].map((each) => (String(each).split(".")[1] ?? "").length));
  const after = Math.min(Number(high ?? Infinity), Math.max(Number(low ?? -Infinity), before + up * Number(step)));
  event.target.value = after.toFixed(Math.min(digits, 20));
  event.target.dispatchEvent(new Event("input", { bubbles: true }));
});

focus(form.querySelector("[autofocus]"));
form.addEventListener("submit", () => keep(form));
// what was sent has an address that only takes posts: who loads it again, or passes it on, means the page
if ("posted" in form.dataset) history.replaceState(history.state, "", new URL(form.dataset.page).pathname);
const entries = "fresh" in form.dataset ? kept(form) : null;
if (entries) restore(entries).catch(() => {}); // they stay kept
