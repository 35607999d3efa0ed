// Keeps what a form holds from when it is sent until a job has begun: the session may have ended meanwhile, or the page
// is loaded again. In this tab alone, for who has filled it in; without files, and without what nobody is to see.

import { held } from "./entries.js";

const KEY = "geomill form ";

/** Keep what is in a form. */
export function keep(form) {
  const secret = new Set([...form.querySelectorAll("input[type=password]")].map((each) => each.name));
  const entries = [...held(form)].filter(([name]) => !secret.has(name));
  try {
    sessionStorage.setItem(KEY + form.getAttribute("action"), JSON.stringify({ caller: form.dataset.caller, entries }));
  } catch { /* it is too large, or the browser keeps nothing */ }
}

/** What was kept of a form for who looks at it now, as it would be sent; or null. */
export function kept(form) {
  try {
    const { caller, entries } = JSON.parse(sessionStorage.getItem(KEY + form.getAttribute("action"))) ?? {};
    if (caller !== form.dataset.caller) {
      if (form.dataset.caller) forget(form.getAttribute("action")); // somebody else sits here now
      return null;
    }
    const data = new FormData();
    for (const [name, value] of entries) data.append(name, value);
    return data;
  } catch {
    return null;
  }
}

/** Keep nothing any more. action: where the form is sent to. */
export function forget(action) {
  try {
    sessionStorage.removeItem(KEY + action);
  } catch { /* nothing was kept */ }
}

/** A job has begun: what led to its page need not be kept. page: where the form was. */
export function begun(page) {
  forget(`${page.split(/[?#]/)[0]}/execution`);
}
