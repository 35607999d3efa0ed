// Follows a log: fetches what was added to it, and shows it as the server does (app/pages/logs.py).
const LINES = 2000, WIDEST = 2000;
// colours, titles, moves of the cursor; then what is left of control characters, and what turns text around
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

export function clean(line) {
  let shown = line.replace(/\r+$/, "").replace(ESCAPES, "");
  shown = shown.slice(shown.lastIndexOf("\r") + 1).replace(CONTROL, "\ufffd");
  const more = shown.length - WIDEST;
  return more <= 0 ? shown : `${shown.slice(0, WIDEST)} ... ${more} more characters`;
}

/** The log in a <pre>. data-href: of all of it; data-size: bytes that are shown; data-own: whether it is the job's own. */
export class Tail {
  constructor(pre) {
    this.pre = pre;
    this.size = Number(pre.dataset.size);
    this.decoder = new TextDecoder();
    this.lines = pre.textContent ? pre.textContent.split("\n") : [];
    this.rest = ""; // of a line that is still being written
    this.pre.scrollTop = this.pre.scrollHeight;
  }

  /** Fetch what is new, and show it; one after the other. */
  renew() {
    this.renewing = (this.renewing ?? Promise.resolve()).catch(() => {}).then(() => this.next());
    return this.renewing;
  }

  async next() {
    const added = await this.added();
    if (!added.length) return;
    const parts = (this.rest + this.decoder.decode(added, { stream: true })).split("\n");
    this.rest = parts.pop();
    this.lines.push(...parts.map(clean));
    this.lines.splice(0, this.lines.length - LINES);
    const atEnd = this.pre.scrollHeight - this.pre.scrollTop - this.pre.clientHeight < 40;
    this.pre.textContent = [...this.lines, ...(this.rest ? [clean(this.rest)] : [])].join("\n");
    if (atEnd) this.pre.scrollTop = this.pre.scrollHeight;
  }

  async added() {
    const own = this.pre.dataset.own === "yes";
    // of a step's one byte is asked for once more: a range of nothing would be an error
    const overlap = own || !this.size ? 0 : 1;
    const response = own
      ? await fetch(`${this.pre.dataset.href}?offset=${this.size}`)
      : await fetch(this.pre.dataset.href, this.size ? { headers: { Range: `bytes=${this.size - 1}-` } } : {});
    if (!response.ok) return new Uint8Array();
    const bytes = new Uint8Array(await response.arrayBuffer());
    this.size += bytes.length - overlap;
    return bytes.subarray(overlap);
  }
}
