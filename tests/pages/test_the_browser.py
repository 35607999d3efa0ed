"""The fixtures themselves: what no page may do is noticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages.conftest import OpenPage
from pages.seeing import look, ready
from support.browsers import Browser, Page, expect, tabs, watch_of, window
from support.checker import check, needs_checker
from support.hostile import site as web
from support.markup import mistakes
from support.mills import Mill

POLICY = {
    "Content_Security_Policy": "default-src 'none'; script-src 'self' 'unsafe-inline'",
    "Content_Type": "text/html",
}
BAD = {
    "uncaught: boom": "<script>throw new Error('boom')</script>",
    "error: oh": "<script>console.error('oh')</script>",
    "warning: hm": "<script>console.warn('hm')</script>",
    "policy: style-src": "<p style='color: red'>red</p>",
    "policy: img-src": "<img alt='' src='/a.png'>",
    "dialog: hello": "<script>alert('hello')</script>",
    "asked another host": "<a href='http://127.0.0.1:1/'>away</a><script>document.links[0].click()</script>",
    "Failed to load resource": "<script src='/missing.js'></script>",
}


@pytest.mark.parametrize("complaint", BAD)
def test_what_no_page_may_do_is_noticed(browser: Browser, complaint: str) -> None:
    with web() as server:
        server.page("/", b"<!doctype html><link rel=icon href='data:,'>" + BAD[complaint].encode(), **POLICY)
        with pytest.raises(AssertionError, match=complaint), window(browser, server.url) as page:
            page.goto("/")
            page.wait_for_load_state("load")
            page.wait_for_timeout(50)


def test_a_page_has_no_past_and_is_as_it_was_asked_for(open_page: OpenPage, site: Mill) -> None:
    page = open_page("/", dark=True, width=360)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches && innerWidth === 360")
    assert page.evaluate("document.cookie + localStorage.length") == "0"
    assert "content" in tabs(page)[0] and watch_of(page).requests[0].url == f"{site.url}/"


def test_a_page_that_is_an_error_is_no_error_of_the_page(page: Page) -> None:
    answer = page.goto("/nowhere")
    assert answer and answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_without_scripts_there_are_none(quiet_page: Page) -> None:
    quiet_page.goto("/")
    expect(quiet_page.get_by_role("main")).to_be_visible()


def test_a_person_logs_in(open_page: OpenPage, guarded: Mill, tokens: dict[str, str]) -> None:
    page = open_page("/login", at=guarded, token=tokens["reader"])
    expect(page.get_by_text(re.compile("You are reader"))).to_be_visible()


POOR = """<!doctype html><html><head><title></title><link rel=icon href='data:,'><style>
.pale { color: #999; background: #aaa } :focus { outline: none } .wide { width: 900px }
@media (prefers-color-scheme: dark) { .dark { color: #222; background: #000 } }
.small { font-size: 5px; display: block } .tight { height: 20px; line-height: 1; overflow: hidden }
.first { position: absolute; top: 0 } .upon { position: absolute; inset: 2000px 0 0 0; height: 200px; background: #fff }
@keyframes move { to { opacity: .5 } } .moving { animation: move 1s infinite }
</style></head><body><h1>Poor</h1><h3>skipped one</h3><p class=pale>pale</p><p class=dark>dark</p><p class=wide>wide</p>
<button tabindex=-1>no</button><a class=small href='/'>a</a><a class=small href='/'>b</a><p class=moving>moving</p>
<button tabindex=2>2</button><p class=tight>tight</p><button class=first>first</button>
<p style="margin-top: 1800px"><a href="/covered">covered</a></p><div class=upon></div></body></html>"""
WRONG = {
    "at rest": ["<p class=\"moving"],
    "by keyboard": ["out of reach: <button", "out of order: <button", "shows the focus: <a", "the first stop",
                    "above what comes before it: <button class=\"first", "on the focus: <a href=\"/covered"],
    "with large text": ["cut off: <p class=\"tight"],
    "wide, light": ["color-contrast: .pale", "document-title", "html-has-lang", "heading-order", "target-size"],
    "narrow": ["908 of 320", "<p class=\"wide"],
    "narrow, spaced": ["cut off: <p class=\"tight"],
    "narrow, dark": ["color-contrast: .dark", "target-size: .small"],
}  # fmt: skip


def test_what_is_wrong_with_a_page_is_seen(browser: Browser) -> None:
    with web() as server:
        server.page("/", POOR.encode(), Content_Type="text/html")
        with window(browser, server.url) as page:
            ready(page)
            wrong = look(page, "/").wrong
    assert wrong.keys() == WRONG.keys()
    for where, said in WRONG.items():
        assert not [words for words in said if words not in "\n".join(wrong[where])], wrong[where]
    assert "color-contrast: .dark" not in "\n".join(wrong["wide, light"])


LACKING = {
    "<p><div></div></p>": "Unexpected end tag (p)",
    "<p id=a></p><p id=a></p>": "id 'a': 2 times",
    "<label for=b>B</label>": "no id 'b'",
    "<input aria-describedby='c d' id=c>": "no id 'd'",
    "<a href='#e'>E</a>": "no id 'e'",
    "<p>{{ x }}</p>": "'{{'",
    "<p>&nosuch;</p>": "entity",
}
CHECKED = {
    "<center>x</center>": "obsolete",
    "<a href=/><button>x</button></a>": "must not appear",
    "<section>x</section>": "lacks heading",
    "<pre aria-label=x>x</pre>": "aria-label",
    "<input type=checkbox aria-expanded=maybe aria-label=x>": "Bad value",
    "<input inputmode=url aria-label=x>": "",
}


def page_of(html: str) -> str:
    return f"<!doctype html><html lang=en><head><title>x</title></head><body>{html}</body></html>"


def test_what_is_wrong_by_itself_is_said() -> None:
    assert not mistakes(page_of("<table><tr><td></table>"))
    for html, said in LACKING.items():
        assert said in "\n".join(mistakes(page_of(html))), html


@pytest.mark.thorough
def test_what_does_not_validate_is_said(tmp_path: Path) -> None:
    needs_checker()
    for number, html in enumerate(CHECKED):
        (tmp_path / f"{number}.html").write_text(page_of(html))
    (tmp_path / "a.css").write_text("p { colour: red }")
    found = check(tmp_path.iterdir())
    for number, said in enumerate(CHECKED.values()):
        lines = [line for line in found if line.startswith(f"{number}.html:")]
        assert said in "\n".join(lines) if said else not lines, lines
    assert [line for line in found if line.startswith("a.css:") and "colour" in line]
