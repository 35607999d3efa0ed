"""What users and processes write is text on every page, whatever a browser could make of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from pages.conftest import LIMITS, OpenPage
from pages.hostile.texts import START, name, text
from support.browsers import Page
from support.mills import Mill, serving

from geomill.app.config import Settings

HERE = Path(__file__).parent
# what only a text of ours could have made of itself; the last is what a template made of {{7*191}}
FOUND = """() => [
  window.__xss && "a script ran",
  ...[...document.querySelectorAll(".xss, [src$=xss], [style*=xss], [autofocus], iframe, object, embed, base")],
  ...[...document.querySelectorAll("*")].filter((each) => [...each.attributes].some(({ name, value }) =>
    name.startsWith("on") || /^\\\\s*(javascript|data|vbscript):/i.test(value))),
  document.body.innerText.includes(7 * 191) && "a template ran",
].filter(Boolean).map((each) => each.outerHTML ?? each)"""
TOLD = "() => document.documentElement.textContent + [...document.querySelectorAll('input')].map((e) => e.value)"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server whose settings and processes are hostile."""
    root = tmp_path_factory.mktemp("hostile")
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(HERE / "hostile",))
    words = {"title": text("server-title"), "description": text("server-description")}
    with serving(settings, shared=True, **words, **LIMITS) as mill:
        yield mill


def check(page: Page, *fields: str) -> None:
    """Nothing but texts came of these fields, and each is there to be read."""
    assert not page.evaluate(FOUND)
    told = page.evaluate(TOLD)
    assert not [field for field in fields if f"{field}{START}" not in told]


@pytest.mark.parametrize(
    "path, fields",
    [
        ("/", ["server-title", "server-description"]),
        ("/api", ["server-title", "server-description"]),
        (f"/{quote(text('path'))}", ["server-title"]),
        (f"/problems/{quote(name('problem'))}", ["problem"]),
        (f"/jobs?limit={quote(text('limit'))}", []),
        (f"/login?next={quote(text('next'))}", []),
    ],
)
def test_a_text_is_a_text(open_page: OpenPage, hostile: Mill, path: str, fields: list[str]) -> None:
    check(open_page(path, at=hostile), *fields)
