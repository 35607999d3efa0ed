"""The page of the API: its operations are found, opened and tried, for real."""

from __future__ import annotations

import json
import re

import pytest
from pages.conftest import OpenPage
from support.browsers import Page, expect, watch_of
from support.mills import Mill


def opened(page: Page, operation: str) -> Page:
    """The page with an operation open, as a link to it leads there."""
    page.goto(f"/api#{operation}")
    expect(page.locator(f"#{operation}")).to_be_visible()
    return page


def test_what_is_executed_on_the_page_is_executed(page: Page) -> None:
    """As the example is, and then as a job of its own: its status is what the next form begins with."""
    form = opened(page, "execute").locator("#execute form")
    form.get_by_role("button", name="Try it").click()
    expect(form.locator(".answer .status")).to_contain_text("200 OK")
    expect(form.locator(".answer > pre")).to_contain_text('"echoInput": "Hello"')
    form.get_by_label("Prefer").fill("respond-async")
    expect(form.locator(".curl")).to_contain_text("-H 'Prefer: respond-async'")
    form.get_by_role("button", name="Try it").click()
    expect(form.locator(".answer .status")).to_contain_text("201 CREATED")
    made = json.loads(form.locator(".answer > pre").inner_text())
    expect(form.locator(".answer .status a")).to_have_attribute("href", re.compile(f"/jobs/{made['jobID']}$"))
    status = opened(page, "getStatus").locator("#getStatus form")
    page.reload()
    expect(status.get_by_label("jobID")).to_have_value(made["jobID"])
    status.get_by_role("button", name="Try it").click()
    expect(status.locator(".answer > pre")).to_contain_text(made["jobID"])


@pytest.mark.thorough
def test_the_example_of_a_package_is_deployed_and_undeployed(page: Page, site: Mill) -> None:
    form = opened(page, "deploy").locator("#deploy form")
    form.get_by_role("button", name="Try it").click()
    expect(form.locator(".answer .status")).to_contain_text("201 CREATED")
    assert site.call("GET", "/processes/greet").status == 200
    form = opened(page, "undeploy").locator("#undeploy form")
    form.get_by_label("processID").fill("greet")
    form.get_by_role("button", name="Try it").click()
    expect(form.locator(".answer .status")).to_contain_text("204")
    assert site.call("GET", "/processes/greet").status == 404


def test_a_refusal_is_shown_as_it_came(page: Page) -> None:
    watch_of(page).expected.append("400")
    form = opened(page, "execute").locator("#execute form")
    form.get_by_label("The body").fill('{"inputs": {"echoInput": "it\'s"}, "outputs": 1}')
    form.get_by_role("button", name="Try it").click()
    expect(form.locator(".answer .status")).to_contain_text("400 BAD REQUEST")
    expect(form.locator(".answer > pre")).to_contain_text('"status": 400')
    assert "it'\\''s" in (form.locator(".curl").text_content() or "")


def test_an_operation_is_found_by_its_words(page: Page) -> None:
    page.goto("/api")
    page.get_by_label("Find an operation").fill("delete pin")
    expect(page.locator("details.operation:visible")).to_have_count(1)
    expect(page.locator("#found")).to_have_text("1 found")


@pytest.mark.thorough
def test_a_token_counts_for_the_page_and_is_not_kept(
    open_page: OpenPage, guarded: Mill, tokens: dict[str, str]
) -> None:
    page = open_page("/api#getServerState", at=guarded, token=tokens["reader"])
    watch_of(page).expected.append("403")
    form = page.locator("#getServerState form")
    form.get_by_role("button", name="Try it").click()
    expect(form.locator(".answer .status")).to_contain_text("403")
    page.get_by_label("Token").fill(tokens["admin"])
    form.get_by_role("button", name="Try it").click()
    expect(form.locator(".answer .status")).to_contain_text("200 OK")
    assert tokens["admin"] not in (form.locator(".curl").text_content() or "")
    page.reload()
    assert page.get_by_label("Token").input_value() == ""
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_what_reads_can_be_tried_without_scripts(quiet_page: Page) -> None:
    quiet_page.goto("/api")
    quiet_page.locator("details:has(#getProblemType) > summary").click()
    form = quiet_page.locator("#getProblemType form")
    form.get_by_label("name").fill("not found?")
    form.get_by_role("button", name="Try it").click()
    expect(quiet_page).to_have_url(re.compile(r"/problems/not%20found%3F$"))
