// Renews parts of this page in place from a fetched copy of it: no script knows how they are made.
// Elements keep their identity, so focus, selection, scroll and ticked boxes stay.
import { dress, say } from "./page.js";

const PATIENCE = 10000; // ms: after a sleep, an answer may be waited for on a connection that is no more
const GONE = [401, 403, 404, 410]; // statuses after which nothing more comes
const OWN = new Set(["open", "style"]); // set by the reader, or by a script

/**
 * Make an element like another one. What is [data-still], with the same id, stays as it is. A form that does something
 * else is another one: who is about to press its button must not press that of the new one.
 */
export function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id || actionOf(old) !== actionOf(fresh)) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.dataset.still !== undefined || old.isEqualNode(fresh)) return;
  for (const { name, value } of fresh.attributes) {
    if (!OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!OWN.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  morphChildren(old, fresh);
}

const actionOf = (element) => element.getAttribute?.("action");

function morphChildren(old, fresh) {
  let at = old.firstChild;
  for (const each of [...fresh.childNodes]) {
    const named = each.id ? old.querySelector(`:scope > #${CSS.escape(each.id)}`) : null;
    if (named && named !== at) old.insertBefore(named, at);
    const match = named ?? (at && !at.id && !each.id && at.nodeName === each.nodeName ? at : null);
    if (match) {
      at = match.nextSibling;
      morph(match, each);
    } else {
      old.insertBefore(each, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** A copy of this page as it is now. Throws a Gone for a page that is not there any more, an Error for no answer. */
export async function copy() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });
  if (GONE.includes(response.status)) throw new Gone(response.status);
  if (!response.ok) throw new Error(response.statusText);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  dress(fresh);
  return fresh;
}

export class Gone extends Error {}

/** Title and favicon tell the state, in a hidden tab too. */
export function head(fresh) {
  if (document.title !== fresh.title) document.title = fresh.title;
  const [old, icon] = [document, fresh].map((page) => page.querySelector("link[rel=icon]"));
  if (old.href !== icon.href) old.href = icon.href;
}

/**
 * Do something again and again: after so many ms, less often while nobody looks, at once when somebody comes back or
 * the network does. `turn` says whether to go on. What is given does it now.
 */
export function repeat(turn, every, hidden) {
  let timer, busy = false, asked = false, over = false;
  async function now() {
    asked = busy;
    if (busy || over) return;
    clearTimeout(timer);
    busy = true;
    try {
      over = !(await turn());
      lost(null);
    } catch (error) {
      lost(error);
      over = error instanceof Gone;
    }
    busy = false;
    if (over) wakes.abort();
    else timer = setTimeout(now, asked ? 500 : document.hidden ? hidden : every());
  }
  const wakes = new AbortController(), { signal } = wakes;
  document.addEventListener("visibilitychange", () => { if (!document.hidden) now(); }, { signal });
  addEventListener("online", now, { signal });
  addEventListener("pageshow", (event) => { if (event.persisted) now(); }, { signal });
  timer = setTimeout(now, every());
  return now;
}

/** Say that the server does not answer, for as long as it does not. */
function lost(error) {
  const line = document.getElementById("lost") ?? made();
  const text = error === null ? "" : error instanceof Gone ? gone(error.message)
    : "Not connected, trying again. This page shows what it knew until now.";
  if (line.textContent === text) return;
  line.textContent = text;
  line.hidden = !text;
  if (!text) say("Connected again.");
}

function gone(status) {
  if (status === "401" || status === "403") return "You are not logged in any more: load this page again.";
  return "This is not there any more: somebody has removed it.";
}

function made() {
  const line = document.createElement("p");
  line.id = "lost";
  line.className = "box failed";
  line.setAttribute("role", "alert");
  line.hidden = true;
  document.getElementById("content").prepend(line);
  return line;
}
