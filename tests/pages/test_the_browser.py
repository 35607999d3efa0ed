"""The fixtures themselves: what no page may do is noticed."""

from __future__ import annotations

import re

import pytest
from pages.conftest import OpenPage
from support.browsers import Browser, Page, expect, tabs, watch_of, window
from support.hostile import site as web
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
