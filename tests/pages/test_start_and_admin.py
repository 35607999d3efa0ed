"""The start page and the page of the server follow what happens by themselves."""

from __future__ import annotations

from pages.conftest import OpenPage
from support.browsers import expect
from support.mills import Mill


def test_what_happens_is_seen_without_loading_a_page_again(open_page: OpenPage, site: Mill) -> None:
    start, admin = open_page("/"), open_page("/admin")
    for page in (start, admin):
        page.evaluate("window.kept = true")
    start.get_by_label("Find a process").fill("ec")
    job_id = site.submit("fail")
    site.ended(job_id)
    expect(start.locator(f"a[href$='{job_id}']")).to_be_visible()
    row = admin.get_by_role("row").filter(has=admin.get_by_role("link", name="failed jobs of fail"))
    expect(row.first).to_be_visible()
    assert all(page.evaluate("window.kept") for page in (start, admin))
    assert start.get_by_label("Find a process").input_value() == "ec"


def test_a_scientist_finds_the_way_from_the_start_page(open_page: OpenPage) -> None:
    page = open_page("/", scripts=False)
    page.get_by_label("Find a process").fill("echo")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("link", name="Echo", exact=True)).to_be_visible()
