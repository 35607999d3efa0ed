// A page whose parts marked `data-live` follow what happens: the state of the server, the jobs on the start page.
import { copy, head, morph, repeat } from "./live.js";

const EVERY = 5000, HIDDEN = 60000; // ms

repeat(async () => {
  const fresh = await copy();
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const newer = fresh.getElementById(part.id);
    if (newer) morph(part, newer);
  }
  head(fresh);
  return true;
}, () => EVERY, HIDDEN);
