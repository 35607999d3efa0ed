"""The fixtures themselves: what no page may do is noticed."""

from __future__ import annotations

import re

import pytest
from pages.conftest import OpenPage
from pages.seeing import look
from support.browsers import Browser, Page, expect, tabs, watch_of, window
from support.hostile import site as web
from support.mills import Mill
from support.validity import mistakes

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
.small { font-size: 5px; display: block }
</style></head><body><h1>Poor</h1><p class=pale>pale</p><p class=dark>dark</p><p class=wide>wide</p>
<button tabindex=-1>no</button><a class=small href='/'>a</a><a class=small href='/'>b</a>
<button tabindex=2>2</button></body></html>"""


def test_what_is_wrong_with_a_page_is_seen(browser: Browser) -> None:
    with web() as server:
        server.page("/", POOR.encode(), Content_Type="text/html")
        with window(browser, server.url) as page:
            seen = look(page, "/")
    assert {each.partition(":")[0] for each in seen.axe} >= {"color-contrast", "document-title", "html-has-lang"}
    assert "color-contrast: .dark" in str(seen.axe_dark) and "color-contrast: .dark" not in str(seen.axe)
    assert seen.axe_narrow and seen.too_wide[0] == "908 of 320" and "wide" in seen.too_wide[1]
    said = "\n".join(seen.keyboard)
    for words in ("out of reach: <button", "out of order: <button", "nothing shows the focus: <a", "the first stop"):
        assert words in said, words


@pytest.mark.parametrize(
    "html, said",
    [
        ("<p><div></div></p>", "Unexpected end tag (p)"),
        ("<table><tr><td></table>", ""),
        ("<p id=a></p><p id=a></p>", "id 'a': 2 times"),
        ("<label for=b>B</label>", "for='b': there is no such id"),
        ("<input aria-describedby='c d' id=c>", "aria-describedby='d'"),
        ("<a href='#e'>E</a>", "a href='#e'"),
        ("<center>x</center>", "center is no element"),
        ("<p align=left>x</p>", "p has no attribute align"),
        ("<a href=/><button>x</button></a>", "button inside a"),
        ("<ul><p>x</p></ul>", "ul holds {'p'}"),
        ("<dl><dt>x</dt></dl>", "dl ends with a dt"),
        ("<button></button>", "button is empty"),
        ("<img src=/a.png>", "img without alt"),
        ("<time datetime=yesterday>x</time>", "time 'yesterday'"),
        ("<progress value=2>x</progress>", "progress 2 of None"),
        ("<p>{{ x }}</p>", "'{{'"),
        ("<p>&nosuch;</p>", "entity"),
    ],
)
def test_what_does_not_validate_is_said(html: str, said: str) -> None:
    found = mistakes(f"<!doctype html><html lang=en><head><title>x</title></head><body>{html}</body></html>")
    assert said in "\n".join(found) if said else not found
