"""One look at a page, in which everything that holds for every page is found out; a browser's time is dear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from support.browsers import HEIGHT, NARROW, WIDE, Page, watch_of

REFLOW = 320  # CSS pixels; WCAG 2.2, 1.4.10: what is left of 1280 at 400 %
ALL_RULES = {"rules": {"target-size": {"enabled": True}}}  # WCAG 2.2, 2.5.8
# the other rules find the same on every screen
ONLY_NARROW_AND_DARK = {
    "runOnly": {
        "type": "rule",
        "values": ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"],
    }
}
FACTS = "({ headings: seeing.headings(), loaded: seeing.loaded(), twice: seeing.twice() })"
MOST_STOPS, MORE_STOPS = 120, 3
TAB = {"type": "rawKeyDown", "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}

Press = Callable[[Page], None]


@dataclass(frozen=True)
class Seen:
    """What there was to see. html: as it was sent; dom: what scripts have made of it; wrong: what is, by where."""

    url: str
    status: int
    title: str
    html: str = field(repr=False)
    dom: str = field(repr=False)
    headings: list[str]
    loaded: dict[str, int]
    twice: list[str]
    wrong: dict[str, list[str]]


def ready(page: Page) -> None:
    """Give all that a page shows from now on what `look` and `axe` need."""
    page.add_init_script(path=str(files("axe_playwright_python") / "axe.min.js"))
    page.add_init_script(path=Path(__file__).with_suffix(".js"))


def axe(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    """What axe finds wrong with what a page shows now."""
    return cast(list[str], page.evaluate("(options) => seeing.axe(options)", options or {}))


def look(page: Page, path: str, press: Press | None = None, pictures: Path | None = None) -> Seen:
    """Visit a page that is ready: wide and light, by keyboard, with large and spaced texts, narrow and dark.

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
    seen |= {"dom": page.content(), **page.evaluate(FACTS)}
    if pictures is not None:
        _take(page, pictures)
    wrong = {"at rest": page.evaluate("seeing.moving()"), "by keyboard": _press_tab(page)}
    wrong["with large text"] = page.evaluate("(seeing.thin(), seeing.large())")
    wrong["wide, light"] = axe(page, ALL_RULES)
    _set(page, REFLOW, dark=True)
    wrong["narrow"] = page.evaluate("seeing.cut()")
    wrong["narrow, spaced"] = page.evaluate("seeing.spaced()")
    wrong["narrow, dark"] = axe(page, ONLY_NARROW_AND_DARK)
    wrong["what it did"] = list(watch_of(page).complaints)
    return Seen(**seen, wrong={where: found for where, found in wrong.items() if found})


def _set(page: Page, width: int, dark: bool = False) -> None:
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme="dark" if dark else "light")


def _take(page: Page, pictures: Path) -> None:
    for kind, (width, dark) in {"dark": (WIDE, True), "narrow": (NARROW, False), "light": (WIDE, False)}.items():
        _set(page, width, dark)
        page.screenshot(path=pictures.with_name(f"{pictures.name}-{kind}.png"), full_page=True)


def _press_tab(page: Page) -> list[str]:
    """What the keyboard does not reach, or not in order, or reaches without a sign of it."""
    found = cast(dict[str, Any], page.evaluate("(seeing.listen(), seeing.candidates())"))
    session = page.context.new_cdp_session(page)
    enough = found["count"] + MORE_STOPS
    for pressed in range(MOST_STOPS):
        # what scrolls is a stop, too, and a busy browser may lose a key
        if pressed >= enough and page.evaluate("seeing.round().around"):
            break
        session.send("Input.dispatchKeyEvent", TAB)  # half as dear as page.keyboard.press
    session.detach()
    stops = cast(dict[str, Any], page.evaluate("seeing.stops()"))
    told = {"out of reach": found["out"], "out of order": found["pushed"], "nothing shows the focus": stops["unseen"]}
    told |= {"something lies on the focus": stops["covered"], "above what comes before it": stops["back"]}
    if enough < MOST_STOPS:
        told["not reached"] = stops["missed"]
    if stops["skips"] != "#content":
        told["the first stop leads not to the content"] = [stops["skips"]]
    return [f"{what}: {each}" for what, which in told.items() for each in which]
