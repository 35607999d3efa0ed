// The page of a job: renewed in place until it has ended; its log is followed.
import { copy, head, morph, repeat } from "./live.js";
import { Tail } from "./log.js";

const EVERY = 2000, HIDDEN = 15000; // ms
const job = document.getElementById("job");
let tail = null;

const running = () => job.dataset.running !== undefined;
const following = () => document.getElementById("follow")?.checked ?? true;

/** What only a script can do, and which log is shown now. */
function dressLog() {
  for (const element of document.querySelectorAll("[data-scripted]")) element.hidden = !running();
  const pre = document.querySelector("pre.tail");
  if (pre && tail?.pre !== pre) tail = new Tail(pre);
}

/** A change of state is told to who does not see it. */
function announce(fresh) {
  const line = document.getElementById("said-live");
  const status = fresh.getElementById("said-live").dataset.status;
  if (status !== line.dataset.status) {
    line.dataset.status = status;
    line.textContent = `The job is ${status} now.`;
  }
}

async function turn() {
  const fresh = await copy();
  const log = document.getElementById("log");
  if (log) log.toggleAttribute("data-still", !following()); // who reads in a log is not shown another
  morph(job, fresh.getElementById("job"));
  head(fresh);
  announce(fresh);
  dressLog();
  if (tail && following()) await tail.renew();
  if (!running()) document.dispatchEvent(new Event("ended"));
  return running();
}

dressLog();
if (running()) repeat(turn, EVERY, HIDDEN);
