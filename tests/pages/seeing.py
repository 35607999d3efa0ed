"""One look at a page, in which everything that holds for every page is found out; a browser's time is dear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from support.browsers import HEIGHT, NARROW, WIDE, Page, watch_of

REFLOW = 320  # CSS pixels; WCAG 2.2, 1.4.10
ONLY_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
ONLY_NARROW = {"runOnly": {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}}
MOST_STOPS, MORE_STOPS = 80, 15  # what can be scrolled is a stop too

AXE = """async (options) => (await axe.run(document, {resultTypes: ["violations"], ...options})).violations
  .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary}`))"""

# what may be used now; of radio buttons with one name, and of the parts of one widget, Tab reaches one
CANDIDATES = """() => {
  const query = "a[href], button, input:not([type=hidden]), select, textarea, summary, [contenteditable], [onclick]";
  const widgets = "[role=tablist], [role=toolbar], [role=grid], [role=listbox], [role=tree], [role=menu]";
  const usable = (each) =>
    each.checkVisibility({ visibilityProperty: true }) && !each.matches(":disabled, [inert] *, [aria-hidden=true]");
  const groups = new Map();
  for (const each of [...document.querySelectorAll(query)].filter(usable)) {
    const key = each.type === "radio" ? `radio ${each.name}` : each.closest(widgets) ?? each;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  window.__groups = [...groups.values()];
  const html = (elements) => elements.map((each) => each.outerHTML.slice(0, 200));
  return {
    count: window.__groups.length,
    out: html(window.__groups.filter((group) => group.every((each) => each.tabIndex < 0)).map((group) => group[0])),
    pushed: html([...document.querySelectorAll("[tabindex]")].filter((each) => each.tabIndex > 0)),
  };
}"""
LISTEN = """() => {
  window.__stops = [];
  addEventListener("focusin", ({ target }) => {
    const style = getComputedStyle(target), box = target.getBoundingClientRect();
    const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none";
    const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    window.__stops.push([target, seen && inside]);
  });
  document.activeElement.blur();
}"""
STOPS = """() => ({
  missed: window.__groups.filter((group) => !group.some((each) => window.__stops.some(([stop]) => stop === each)))
    .map((group) => group[0].outerHTML.slice(0, 200)),
  dark: window.__stops.filter(([stop, seen]) => !seen).map(([stop]) => stop.outerHTML.slice(0, 200)),
  skips: document.querySelector("[autofocus]") ? "#content" : window.__stops[0]?.[0].getAttribute("href"),
})"""
# of many of a kind the first are enough: axe takes 20 s for a page of 6000 elements
THIN = """() => {
  for (const parent of document.querySelectorAll("main, main *")) {
    const counts = new Map();
    for (const each of [...parent.children]) {
      const kind = `${each.localName} ${each.className}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      if (counts.get(kind) > 12 && each.localName !== "option") each.remove();
    }
  }
}"""
TOO_WIDE = """() => {
  const { scrollWidth, clientWidth } = document.scrollingElement;
  if (scrollWidth <= clientWidth) return [];
  const kept = (each) => each && (getComputedStyle(each).overflowX !== "visible" || kept(each.parentElement));
  const out = [...document.body.querySelectorAll("*")].filter((each) =>
    each.getBoundingClientRect().right > clientWidth + 1 && !kept(each.parentElement));
  return [`${scrollWidth} of ${clientWidth}`, ...out.slice(0, 5).map((each) => each.outerHTML.slice(0, 200))];
}"""
# the size of all that was loaded, as it was sent, whether it came from the cache this time or not
LOADED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""
HEADINGS = """() => [...document.querySelectorAll("main :is(h1, h2, h3, th, dt, legend, label)")]
  .filter((each) => each.checkVisibility()).map((each) => each.textContent.trim())"""
# what is pressed has a name that tells it from all others
TWICE = """() => {
  const names = [...document.querySelectorAll("main :is(button, summary)")]
    .filter((each) => each.checkVisibility() && !each.matches("[aria-hidden=true]"))
    .map((each) => each.getAttribute("aria-label") ?? each.textContent.replace(/\\s+/g, " ").trim());
  return names.filter((name, number) => names.indexOf(name) !== number);
}"""


Press = Callable[[Page], None]


@dataclass(frozen=True)
class Seen:
    """What there was to see. Lists of what is wrong are empty where nothing is."""

    url: str
    status: int
    title: str
    html: str = field(repr=False)
    headings: list[str]
    loaded: dict[str, int]
    complaints: list[str]
    axe: list[str]
    axe_dark: list[str]
    axe_narrow: list[str]
    too_wide: list[str]
    twice: list[str]
    keyboard: list[str]


def look(page: Page, path: str, press: Press | None = None, pictures: Path | None = None) -> Seen:
    """Visit a page: light, dark, narrow and by keyboard.

    press: what leads from there to the page that is meant; pictures: where they go, without an ending.
    """
    watch_of(page).complaints.clear()
    _set(page, WIDE)
    answer = page.goto(path, wait_until="load")
    if press is not None:
        with page.expect_navigation() as arrived:
            press(page)
        answer = arrived.value
    assert answer is not None
    seen: dict[str, Any] = {"url": page.url, "status": answer.status, "title": page.title(), "html": answer.text()}
    seen["headings"] = page.evaluate(HEADINGS)
    seen["twice"] = page.evaluate(TWICE)
    seen["loaded"] = dict(page.evaluate(LOADED))
    if pictures is not None:
        for kind, (width, dark) in {"light": (WIDE, False), "dark": (WIDE, True), "narrow": (NARROW, False)}.items():
            _set(page, width, dark)
            page.screenshot(path=pictures.with_name(f"{pictures.name}-{kind}.png"), full_page=True)
    _set(page, REFLOW)
    seen["too_wide"] = page.evaluate(TOO_WIDE)
    _set(page, WIDE)
    seen["keyboard"] = _press_tab(page)
    page.evaluate(THIN)
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    seen["axe"] = page.evaluate(AXE, {})
    _set(page, WIDE, dark=True)
    seen["axe_dark"] = page.evaluate(AXE, ONLY_COLOURS)
    _set(page, NARROW)
    seen["axe_narrow"] = page.evaluate(AXE, ONLY_NARROW)
    return Seen(**seen, complaints=list(watch_of(page).complaints))


def _set(page: Page, width: int, dark: bool = False) -> None:
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme="dark" if dark else "light")


def _press_tab(page: Page) -> list[str]:
    """What the keyboard does not reach, or reaches without a sign of it."""
    found = cast(dict[str, Any], page.evaluate(CANDIDATES))
    wrong = [f"out of reach: {each}" for each in found["out"]] + [f"out of order: {each}" for each in found["pushed"]]
    page.evaluate(LISTEN)
    for _ in range(min(MOST_STOPS, found["count"] + MORE_STOPS)):
        page.keyboard.press("Tab")
    stops = cast(dict[str, Any], page.evaluate(STOPS))
    if stops["skips"] != "#content":
        wrong.append(f"the first stop leads to {stops['skips']}, not to the content")
    page.evaluate("document.activeElement.blur()")
    if found["count"] + MORE_STOPS < MOST_STOPS:
        wrong += [f"not reached: {each}" for each in stops["missed"]]
    return wrong + [f"nothing shows the focus: {each}" for each in stops["dark"]]
