// The page of the API: its operations can be found, opened by their address, and tried.
import { size } from "./page.js";

const MOST = 200000; // characters of an answer that are shown
const LARGEST = 20000000; // bytes that are fetched
const token = document.getElementById("token");

for (const element of document.querySelectorAll(".scripted, #tools")) element.hidden = false;

// a job to begin with is the newest, where there is one
const newest = document.querySelector("#jobs option")?.value;
for (const input of document.querySelectorAll("input[list=jobs]")) if (newest) input.value = newest;

/** What a form asks for: address, and what fetch takes. */
function request(form) {
  const asked = new URLSearchParams(), headers = {};
  let address = form.dataset.address, body;
  for (const { name, value } of form.elements) {
    const [place, key] = [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)];
    if (place === "path") address = address.replace(`{${key}}`, encodeURIComponent(value));
    else if (value === "") continue;
    else if (place === "query") asked.append(key, value);
    else if (place === "header") headers[key] = value;
    else if (name === "accept") headers.Accept = value;
    else if (name === "type") headers["Content-Type"] = value;
    else if (name === "body") body = value;
  }
  headers.Accept ??= "application/json";
  const query = asked.toString();
  return { address: query ? `${address}?${query}` : address, method: form.dataset.method, headers, body };
}

/** The same for a shell; a token is not shown. */
function curl({ address, method, headers, body }) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = [`curl -X ${method} ${quote(address)}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quote(`${name}: ${value}`)}`);
  if (token?.value) lines.push('-H "Authorization: Bearer $TOKEN"');
  if (body !== undefined) lines.push(`--data-binary ${quote(body)}`);
  return lines.join(" \\\n  ");
}

/** Send what a form asks for, and show what came. */
async function send(form) {
  const place = form.querySelector(".answer");
  const { address, ...options } = request(form);
  if (token?.value) options.headers.Authorization = `Bearer ${token.value}`;
  place.replaceChildren(made("p", "Waiting for an answer ..."));
  const begun = performance.now();
  try {
    const answer = await fetch(address, { ...options, cache: "no-store" });
    const first = line(answer, performance.now() - begun, address, options.method);
    place.replaceChildren(first, ...heads(answer), ...await content(answer, address));
  } catch (error) {
    place.replaceChildren(made("p", `No answer: ${error.message}`, "error"));
  }
}

function line(answer, time, address, method) {
  const status = made("p", "", answer.ok ? "status" : "status error");
  status.append(made("strong", `${answer.status} ${answer.statusText}`), ` in ${Math.round(time)} ms`);
  if (answer.redirected) status.append(`, from ${answer.url}`);
  const location = answer.headers.get("Location");
  if (location) status.append(", at ", link(location, location));
  else if (method === "GET") status.append(" from ", link(answer.url, new URL(address).pathname));
  return status;
}

function heads(answer) {
  const details = made("details", "");
  const text = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  details.append(made("summary", "Headers"), made("pre", text));
  return [details];
}

/** What came, as a text where it is one, else to be kept. */
async function content(answer, address) {
  const type = answer.headers.get("Content-Type") ?? "";
  if (Number(answer.headers.get("Content-Length")) > LARGEST) {
    await answer.body.cancel();
    return [link(address, "It is too large to be shown here: open it")];
  }
  const blob = await answer.blob();
  if (!blob.size) return [made("p", "No content.", "quiet")];
  if (!/json|text|xml|yaml|notation|triples|cwl/.test(type)) return [kept(blob, type)];
  const text = pretty(await blob.text(), type);
  const shown = made("pre", text.slice(0, MOST));
  shown.tabIndex = 0;
  return text.length > MOST ? [shown, kept(blob, type)] : [shown];
}

function pretty(text, type) {
  try {
    return /json/.test(type) ? JSON.stringify(JSON.parse(text), null, 2) : text;
  } catch {
    return text;
  }
}

function kept(blob, type) {
  const file = link(URL.createObjectURL(blob), `Keep it: ${size(blob.size)} of ${type || "no stated type"}`);
  file.download = `answer${type.includes("json") ? ".json" : ""}`;
  return file;
}

function made(name, text, kind = "") {
  const element = document.createElement(name);
  element.textContent = text;
  element.className = kind;
  return element;
}

/** A link, if it leads into the web. */
function link(href, text) {
  const element = made("a", text);
  if (/^(https?|blob):/.test(new URL(href, location.href).protocol)) element.href = href;
  return element;
}

for (const form of document.querySelectorAll("form.try")) {
  const tell = () => { form.querySelector(".curl").textContent = curl(request(form)); };
  form.addEventListener("submit", (event) => { event.preventDefault(); tell(); send(form); });
  form.addEventListener("input", tell);
  form.closest("details.operation").addEventListener("toggle", tell);
}

// an address that names an operation opens it; so does one that is gone to later
function open() {
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = named && named.closest("details");
  if (details) { details.open = true; details.scrollIntoView(); }
}
addEventListener("hashchange", open);
open();

document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase().split(/\s+/);
  let count = 0;
  for (const each of document.querySelectorAll("details.operation")) {
    const text = `${each.querySelector("summary").textContent} ${each.querySelector(".inside").id}`.toLowerCase();
    each.hidden = !wanted.every((word) => text.includes(word));
    count += each.hidden ? 0 : 1;
  }
  for (const group of document.querySelectorAll(".group")) group.hidden = !group.querySelector("details.operation:not([hidden])");
  document.getElementById("found").textContent = count ? `${count} found` : "Nothing has these words; try fewer";
});
