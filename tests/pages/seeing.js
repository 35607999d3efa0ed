// What seeing.py asks of a page; added to it beside axe, before its own scripts. What is wrong is told by its HTML.

const html = (each) => each.outerHTML.slice(0, 200);
const visible = (each) => each.checkVisibility({ visibilityProperty: true });
const says = (each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
let groups = [], stops = [];

window.seeing = {
  headings() {
    const all = document.querySelectorAll("main :is(h1, h2, h3, th, dt, legend, label)");
    return [...all].filter((each) => each.checkVisibility()).map((each) => each.textContent.trim());
  },

  // the size of all that was loaded, as it was sent, whether it came from the cache this time or not
  loaded() {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return Object.fromEntries(all.map(({ name, encodedBodySize }) => [name, encodedBodySize]));
  },

  // what is pressed has a name that tells it from all others
  twice() {
    const names = [...document.querySelectorAll("main :is(button, summary)")]
      .filter((each) => each.checkVisibility() && !each.matches("[aria-hidden=true]"))
      .map((each) => each.getAttribute("aria-label") ?? each.textContent.replace(/\s+/g, " ").trim());
    return names.filter((name, number) => names.indexOf(name) !== number);
  },

  moving() {
    return document.getAnimations().map((each) => html(each.effect.target));
  },

  // What axe finds. Contrast is dear, and the same for all texts of one kind: colours, size, and what they lie upon.
  async axe(options) {
    const kinds = new Map(), grounds = new Map([[null, ""]]);
    const ground = (each) => {
      if (!grounds.has(each)) {
        const { backgroundColor, backgroundImage, opacity, position } = getComputedStyle(each);
        const moved = /absolute|fixed|sticky/.test(position) ? `${each.localName}.${each.className}` : "";
        const own = `${backgroundColor} ${backgroundImage} ${opacity} ${moved}`.replace("rgba(0, 0, 0, 0) none 1 ", "");
        grounds.set(each, ground(each.parentElement) + own);
      }
      return grounds.get(each);
    };
    for (const each of document.body.querySelectorAll("*")) {
      each.removeAttribute("data-kind");
      if (!says(each) && !each.matches("input, select, textarea") || !visible(each)) continue;
      const { color, fontSize, fontWeight } = getComputedStyle(each);
      kinds.set([color, fontSize, fontWeight, each.matches(":disabled"), ground(each)].join(), each);
    }
    for (const each of kinds.values()) each.setAttribute("data-kind", "");
    axe.configure({ rules: [{ id: "color-contrast", selector: "[data-kind]" }] });
    const { violations } = await axe.run(document, { resultTypes: ["violations"], ...options });
    return violations.flatMap((rule) =>
      rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary}`));
  },

  // of many of a kind the first are enough: axe takes 20 s for a page of 6000 elements
  thin() {
    const some = (all, most, kind) => {
      const counts = new Map();
      for (const each of all) {
        counts.set(kind(each), (counts.get(kind(each)) ?? 0) + 1);
        if (counts.get(kind(each)) > most && each.localName !== "option") each.remove();
      }
    };
    for (const parent of document.querySelectorAll("main, main *")) {
      some([...parent.children], 12, (each) => `${each.localName} ${each.className}`);
    }
    some(document.querySelectorAll("details"), 3, (each) => `${each.parentElement.className} ${each.className}`);
    for (const each of document.querySelectorAll("details")) each.open = true;
  },

  // what makes the page wider than its window, and texts of which a part is cut off, unless dots say so
  cut() {
    const { scrollWidth, clientWidth } = document.scrollingElement, all = [...document.body.querySelectorAll("*")];
    const found = [];
    if (scrollWidth > clientWidth) {
      const kept = (each) => each && (getComputedStyle(each).overflowX !== "visible" || kept(each.parentElement));
      const out = all.filter((each) =>
        each.getBoundingClientRect().right > clientWidth + 1 && !kept(each.parentElement));
      found.push(`${scrollWidth} of ${clientWidth}`, ...out.slice(0, 5).map(html));
    }
    for (const each of all) {
      if (!says(each) || !visible(each)) continue;
      const { overflowX, overflowY, textOverflow, webkitLineClamp, clipPath } = getComputedStyle(each);
      if (textOverflow === "ellipsis" || webkitLineClamp !== "none" || clipPath !== "none") continue;
      const wide = each.scrollWidth > each.clientWidth + 1 && /hidden|clip/.test(overflowX);
      const high = each.scrollHeight > each.clientHeight + 1 && /hidden|clip/.test(overflowY);
      if (wide || high) found.push(`cut off: ${html(each)}`);
    }
    return found;
  },

  // texts of twice the size: WCAG 2.2, 1.4.4
  large() {
    document.documentElement.style.fontSize = "200%";
    const found = this.cut();
    document.documentElement.style.fontSize = "";
    return found;
  },

  // lines, letters and words as far apart as somebody may want them: WCAG 2.2, 1.4.12
  spaced() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`p { margin-bottom: 2em !important }
      * { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }`);
    document.adoptedStyleSheets = [sheet];
    const found = this.cut();
    document.adoptedStyleSheets = [];
    return found;
  },

  // what may be used now; of radio buttons with one name, and of the parts of one widget, Tab reaches one
  candidates() {
    const query = "a[href], button, input:not([type=hidden]), select, textarea, summary, [contenteditable], [onclick], "
      + "[tabindex='0']";
    const widgets = "[role=tablist], [role=toolbar], [role=grid], [role=listbox], [role=tree], [role=menu]";
    const found = new Map();
    for (const each of [...document.querySelectorAll(query)].filter(visible)) {
      if (each.matches(":disabled, [inert] *, [aria-hidden=true]")) continue;
      const key = each.type === "radio" ? `radio ${each.name}` : each.closest(widgets) ?? each;
      found.set(key, [...(found.get(key) ?? []), each]);
    }
    groups = [...found.values()];
    return {
      count: groups.length,
      out: groups.filter((group) => group.every((each) => each.tabIndex < 0)).map((group) => html(group[0])),
      pushed: [...document.querySelectorAll("[tabindex]")].filter((each) => each.tabIndex > 0).map(html),
    };
  },

  // From now on take down where Tab stops. A stop is seen where its outline is and nothing lies upon it; it goes on
  // where it is not above the one before. What is itself invisible, as the button of a tab, is where its label is.
  listen() {
    stops = [];
    const seen = (each) => getComputedStyle(each).opacity === "0" && each.labels?.[0] || each;
    addEventListener("focusin", ({ target }) => {
      const shown = seen(target), style = getComputedStyle(shown), box = shown.getBoundingClientRect();
      const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none";
      const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
      const [line] = shown.getClientRects(), y = line.top + line.height / 2;
      const upon = y > 0 && y < innerHeight && document.elementFromPoint(line.left + line.width / 2, y);
      const before = stops.length && seen(stops.at(-1).target).getBoundingClientRect();
      stops.push({
        target, shown: marked && inside, covered: upon && !shown.contains(upon) && !upon.contains(shown),
        back: before && box.bottom <= before.top && box.left < before.right && before.left < box.right,
      });
    });
    document.activeElement.blur();
  },

  // the stops of one round, and whether it was all the way round, or reached everything before
  round() {
    const again = stops.findIndex(({ target }, number) => number && target === stops[0].target);
    const once = again < 0 ? stops : stops.slice(0, again);
    const missed = groups.filter((group) => !group.some((each) => once.some(({ target }) => target === each)));
    return { once, missed, around: again >= 0 || !missed.length };
  },

  stops() {
    document.activeElement.blur();
    const { once, missed } = this.round();
    const those = (wanted) => once.filter(wanted).map(({ target }) => html(target));
    return {
      missed: missed.map((group) => html(group[0])),
      unseen: those(({ shown }) => !shown),
      covered: those(({ covered }) => covered),
      back: those(({ target, back }) => back && !target.matches(".skip")), // that comes first, or after the last
      skips: document.querySelector("[autofocus]") ? "#content" : once[0]?.target.getAttribute("href"),
    };
  },
};
