"""What holds for every page: for everybody, on every screen, with every colour, with a keyboard, without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pages.conftest import OpenPage
from pages.seeing import Seen, look, ready
from pages.shown import showing
from support.browsers import Browser, Page, window
from support.checker import check, needs_checker
from support.markup import mistakes
from support.mills import Mill
from support.packages import tool

from geomill.app import create_app, operations
from geomill.app.negotiation import HTML

SMALL = 300_000  # bytes of a page and all that it loads, but for a map
# name -> endpoint, path; {name} is the id of something in shown.py
PAGES = {
    "landing": ("landing.show", "/"),
    "processes": ("processes.index", "/processes"),
    "process": ("processes.show", "/processes/echo"),
    "package": ("processes.show", "/processes/{package}"),
    "wrong-inputs": (None, "/processes/echo"),
    "jobs": ("jobs.index", "/jobs?made={files}"),
    "jobs-failed": (None, "/jobs?status=failed&f=html"),
    "jobs-none": (None, "/jobs?processID=buffer"),
    "jobs-removal": (None, "/jobs?made={failed}"),
    "job": ("jobs.show", "/jobs/{files}"),
    "job-failed": (None, "/jobs/{failed}"),
    "job-running": (None, "/jobs/{running}"),
    "job-accepted": (None, "/jobs/{accepted}"),
    "job-dismissed": (None, "/jobs/{dismissed}"),
    "job-steps": (None, "/jobs/{steps}"),
    "job-broken": (None, "/jobs/{broken}"),
    "job-gone": (None, "/jobs/019abc12-0000-7000-8000-000000000000"),
    "results": (None, "/jobs/{files}/results"),
    "results-items": (None, "/jobs/{classified}/results"),
    "picture": ("pictures.show", "/jobs/{classified}/pictures/kinds.tif?band=2&lon=11.2&lat=47.9"),
    "results-failed": (None, "/jobs/{failed}/results"),
    "deploy": ("deploy.show", "/deploy"),
    "deploy-review": (None, "/deploy"),
    "deploy-wrong": (None, "/deploy"),
    "conformance": ("conformance.show", "/conformance"),
    "api": ("definition.show", "/api"),
    "replacement": ("deploy.show_replacement", "/processes/{package}/replacement"),
    "undeployment": ("deploy.show_undeployment", "/processes/{package}/undeployment"),
    "admin": ("admin.show", "/admin"),
    "versions": ("deployment.versions", "/processes/{package}/versions"),
    "events": ("steps.show", "/jobs/{broken}/events"),
    "callbacks": ("callbacks.show", "/jobs/{called}/callbacks"),
    "job-called": (None, "/jobs/{called}"),
    "secret": ("callbacks.secret", "/callback-secret"),
    "inputs": ("provenance.inputs", "/jobs/{successful}/inputs"),
    "provenance": ("provenance.show", "/jobs/{steps}/prov"),
    "problem": ("problems.show", "/problems/bad-input"),
    "login": ("login.show", "/login"),
    "arcgis-task": (None, "/arcgis/rest/services/echo/GPServer/echo"),
    "arcgis-form": (None, "/arcgis/rest/services/echo/GPServer/echo/submitJob"),
    "arcgis-jobs": (None, "/arcgis/admin/services/echo.GPServer/jobs"),
    "not-found": (None, "/nowhere"),
}
PRESSES = {  # what leads on from there
    "jobs-removal": lambda page: _remove(page),
    "wrong-inputs": lambda page: page.get_by_role("button", name="Run").click(),
    "deploy-review": lambda page: _review(page, tool("greet")),
    "deploy-wrong": lambda page: _review(page, {"cwlVersion": "v1.2", "class": "Nothing"}),
}

Visit = Callable[[str], Seen]


def _review(page: Page, document: dict[str, Any]) -> None:
    page.get_by_label("or its text").fill(json.dumps(document))
    page.locator("form[action$='/review'] button").click()


def _remove(page: Page) -> None:
    page.locator("tbody input[type=checkbox]").last.check()
    page.get_by_role("button", name="Remove those that have ended").click()


def test_no_page_is_forgotten(site: Mill) -> None:
    app = create_app(site.settings)
    offered = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if (found := operations.of(app, rule.endpoint)) and HTML in found.offers and "GET" in (rule.methods or ())
    }
    assert offered == {endpoint for endpoint, _ in PAGES.values() if endpoint}


@pytest.fixture(scope="module")
def visit(browser: Browser, site: Mill, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Look at a page, once for all that is asked about it."""
    folder: str | None = request.config.getoption("screenshots")
    seen: dict[str, Seen] = {}
    tried: set[str] = set()
    with showing(site) as shown, window(browser, site.url) as page:
        ready(page)

        def visit(name: str) -> Seen:
            assert name not in tried or name in seen, "it could not be looked at"
            tried.add(name)
            if name not in seen:
                path = PAGES[name][1].format_map(shown)
                seen[name] = look(page, path, PRESSES.get(name), Path(folder, name) if folder else None)
            return seen[name]

        yield visit


STATUSES = {"not-found": 404, "job-gone": 404, "results-failed": 500, "wrong-inputs": 400, "deploy-wrong": 400}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everybody(visit: Visit, name: str) -> None:
    """On every screen, with every colour and size of text, by keyboard, without scripts, within its policy."""
    seen = visit(name)
    assert seen.status == STATUSES.get(name, 200)
    assert not seen.wrong
    assert seen.title and len(re.findall("<h1[ >]", seen.html)) == 1
    without_scripts = "".join(unescape(re.sub("<[^>]*>", "", seen.html)).split())
    assert not [each for each in seen.headings if "".join(each.split()) not in without_scripts]
    assert {urlsplit(each).netloc for each in seen.loaded} == {urlsplit(seen.url).netloc}
    assert sum(size for address, size in seen.loaded.items() if "/vendor/" not in address) < SMALL


def test_pages_validate(visit: Visit, tmp_path: Path) -> None:
    """As they are sent, and as scripts have made them; so do styles and icons. One run of the checker does all."""
    needs_checker()
    for name in PAGES:
        seen = visit(name)
        (tmp_path / f"{name}.html").write_text(seen.html)
        (tmp_path / f"{name}-scripted.html").write_text(seen.dom)
    static = Path(str(files("geomill.app") / "static"))
    assert not check([*tmp_path.iterdir(), static / "style.css", *(static / "icons").iterdir()])


def test_nothing_in_a_page_is_left_open(visit: Visit) -> None:
    assert not {name: found for name in PAGES if (found := mistakes(visit(name).html))}


def test_no_two_pages_have_the_same_title(visit: Visit) -> None:
    titles = [visit(name).title for name in PAGES]
    assert len(set(titles)) == len(titles), titles


@pytest.mark.parametrize("name", ["process", "package", "wrong-inputs", "processes", "deploy", "deploy-review"])
def test_what_is_pressed_is_told_apart_by_its_name(visit: Visit, name: str) -> None:
    assert not visit(name).twice


@pytest.mark.parametrize(
    "name, place, how",
    [
        ("processes", "Processes", "page"),
        ("process", "Processes", "true"),
        ("deploy", "Processes", "true"),
        ("job", "Jobs", "true"),
        ("results", "Jobs", "true"),
        ("api", "API", "page"),
    ],
)
def test_a_page_says_which_part_of_the_server_it_is_of(visit: Visit, name: str, place: str, how: str) -> None:
    assert re.findall(r'aria-current="(\w+)">(\w+)</a>', visit(name).html) == [(how, place)]


def test_what_pages_load_is_loaded_once(visit: Visit, site: Mill) -> None:
    parts = {each for name in PAGES for each in visit(name).loaded if "/static/" in each}
    assert parts
    for each in parts:
        answer = site.call("GET", each.removeprefix(site.url))
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable", each


# what is chosen, of several
CHOSEN = {
    "/api": "header nav a",
    "/processes/echo": ".tabs > label",
}
BORDERS = """(all) => all.map((each) => {
  const { backgroundColor } = getComputedStyle(document.body), { borderBottomColor } = getComputedStyle(each);
  return [each.matches("[aria-current], :checked + label"), borderBottomColor !== backgroundColor];
})"""


def test_what_is_chosen_is_seen_in_the_colours_of_the_system(open_page: OpenPage) -> None:
    page = open_page(forced_colors="active")
    for path, choices in CHOSEN.items():
        page.goto(path)
        marked = page.locator(choices).evaluate_all(BORDERS)
        assert len(marked) > 2 and all(chosen == seen for chosen, seen in marked), marked


def test_the_way_past_the_frame(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
