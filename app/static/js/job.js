// The page of a job: renewed in place until it has ended; its log is followed. What is new is told by short answers of
// server-sent events; now and then the page is renewed without, for times and bars go on by themselves.
import { begun } from "./kept.js";
import { copy, head, morph, repeat } from "./live.js";
import { Tail } from "./log.js";
import { say, size } from "./page.js";
import { attach } from "./results.js";

const EVERY = 5000, HIDDEN = 15000; // ms
const job = document.getElementById("job");
let tail = null, events = null;

begun(document.referrer);

const running = () => job.dataset.running !== undefined;
const following = () => document.getElementById("follow")?.checked ?? true;

/** What only a script can do, and which log is shown now. */
function dressLog() {
  for (const element of document.querySelectorAll("[data-scripted]")) element.hidden = !running();
  const pre = document.querySelector("pre.tail");
  if (pre && tail?.pre !== pre) tail = new Tail(pre);
}

/** Make the page what it is now. Whether there will be more. A change of state is told; who used what is gone is led on. */
async function turn() {
  const fresh = await copy();
  const log = document.getElementById("log");
  if (log) log.toggleAttribute("data-still", !following()); // who reads in a log is not shown another
  const state = job.dataset.toldState, used = job.contains(document.activeElement);
  morph(job, fresh.getElementById("job"));
  head(fresh);
  if (used && !job.contains(document.activeElement)) job.querySelector("h1").focus();
  if (state !== job.dataset.toldState) say(job.dataset.toldState);
  dressLog();
  await follow();
  if (!running()) attach(job);
  listen();
  return running();
}

async function follow() {
  if (!tail || !following()) return;
  await tail.renew();
  const shown = document.querySelector("#log .bytes");
  if (shown && tail.size) shown.textContent = `, ${size(tail.size)}`;
}

/** Hear of what is new while somebody looks. A browser comes again by itself, but where it was answered an error. */
function listen() {
  const wanted = running() && !document.hidden;
  if (events && wanted && events.readyState !== EventSource.CLOSED) return;
  events?.close();
  events = wanted ? new EventSource(job.dataset.events) : null;
  events?.addEventListener("step", now);
  events?.addEventListener("status", (event) => progress(JSON.parse(event.data)));
  events?.addEventListener("log", (event) => {
    if (JSON.parse(event.data).href !== tail?.pre.dataset.href) return;
    if (tail.size) follow().catch(() => {}); // the next turn says it
    else now(); // it says that there is nothing
  });
}

/** How far a running job is needs no new page; all else does. */
function progress(told) {
  const [bar, percent, message] = ["progress", ".percent", ".words"].map((each) => job.querySelector(`#standing ${each}`));
  if (told.status !== "running" || !bar || !percent || !message || told.progress === null) {
    now();
    return;
  }
  bar.value = told.progress;
  percent.textContent = `${told.progress} %`;
  message.textContent = told.message ?? "";
}

dressLog();
const now = running() ? repeat(turn, () => Number(job.dataset.renewal) || EVERY, HIDDEN) : null;
if (now) {
  listen();
  document.addEventListener("visibilitychange", listen);
}
