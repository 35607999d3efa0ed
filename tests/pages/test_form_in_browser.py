"""The form of a process in a real browser, with scripts and without; and the request beside it, run as it is shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages.conftest import OpenPage
from support.browsers import Page, expect, watch_of
from support.mills import Mill

Json = Any
HOSTILE = [
    'it\'s "quoted" `id` $(id) ${HOME} $HOME !! \\ \\n \\\\ % & ; | < > * ? ~ # {} []',
    "two\nlines\n\nEND\n<<END\n  -H 'x'\n",
    "'''\"\"\" {x} \\N{BULLET} \\u0041 \t tab \u2028 \u00e4\u20ac\U0001f30d",
    "</script><img src=x onerror=alert(1)>&amp;",
    "@/etc/hostname",
    "-d x",
]


def asked(site: Mill, address: str) -> Json:
    """The request of a job, by its address."""
    return json.loads(site.store.request(address.partition("?")[0].rpartition("/")[2]))


def shown(page: Page, language: str) -> str:
    """The request as a page shows it, in one language."""
    return str(page.locator(f"#request-{language}").text_content())


def test_a_nested_form_changes_in_place_and_sends_what_it_shows(site: Mill, page: Page) -> None:
    page.goto("/processes/nested?f=html")
    page.get_by_label("Name").fill("green")
    page.get_by_role("radio", name="optical").check()
    page.locator("#inputs\\/bands\\:add").press("Enter")
    second = page.locator("#inputs\\/bands\\/1\\/name")
    expect(second).to_be_focused()  # the first field of what was added
    second.fill("nir")
    page.locator("#inputs\\/bands\\/1").get_by_role("radio", name="radar").check()
    page.get_by_role("button", name="Give Window").nth(1).click()
    page.locator("#inputs\\/bands\\/1\\/window\\/left").fill("-3")
    page.locator("#inputs\\/threshold\\:variant").select_option("1")
    page.get_by_label("Day").fill("2026-02-28")  # while the server changes the form
    page.get_by_label("Moment").fill("2026-02-28T12:00")
    page.get_by_label("blue").check()
    page.get_by_label("Smooth it").uncheck()
    body = {
        "inputs": {
            "bands": [{"name": "green", "kind": "optical"}, {"name": "nir", "kind": "radar", "window": {"left": -3}}],
            "threshold": "otsu", "day": "2026-02-28", "moment": "2026-02-28T12:00:00Z", "smooth": False,
            "colours": ["blue"],
        }
    }  # fmt: skip
    expect(page.locator("#request-json")).to_contain_text('"blue"')
    expect(page.locator("#request-json")).to_contain_text('"smooth": false')
    expect(page.locator("#request-json")).to_contain_text('"otsu"')
    assert json.loads(shown(page, "json")) == body
    page.get_by_role("button", name="Run", exact=True).last.click()
    page.wait_for_url(re.compile("/jobs/"))
    assert asked(site, page.url) == body
    page.goto(f"/processes/nested?f=html&from={page.url.partition('?')[0].rpartition('/')[2]}")
    assert json.loads(shown(page, "json")) == body
    page.get_by_role("button", name=re.compile("Remove Bands 1")).click()
    expect(page.locator("#inputs\\/bands\\/0")).to_have_count(0)
    expect(page.locator("#inputs\\/bands\\:add")).to_be_focused()


def test_errors_stand_at_their_fields(page: Page) -> None:
    page.goto("/processes/add?f=html")
    first = page.locator("#inputs\\/a")
    first.fill("many")
    expect(page.locator("#inputs\\/a-error")).to_contain_text("must be an integer")  # while one writes
    expect(first).to_have_attribute("aria-invalid", "true")
    first.fill("7")
    expect(page.locator("#inputs\\/a-error")).to_be_hidden()
    first.press("ArrowUp")
    expect(first).to_have_value("8")
    first.fill("-1")
    with page.expect_navigation():
        first.press("Enter")
    expect(page.locator("#errors")).to_be_focused()
    expect(first).to_have_value("-1")
    page.locator("#errors a").press("Enter")
    expect(first).to_be_focused()


def test_without_scripts_nothing_is_lost(site: Mill, quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/processes/nested?f=html")
    page.get_by_label("Name").fill("green")
    page.get_by_role("radio", name="radar").check()
    page.locator("#inputs\\/bands\\:add").click()
    expect(page.locator("#inputs\\/bands\\/0\\/name")).to_have_value("green")
    page.locator("#inputs\\/bands\\/1 >> text=Remove").or_(page.get_by_role("button", name="Remove Bands 2")).click()
    page.locator("#inputs\\/threshold\\:variant").select_option("0")
    page.locator("#inputs\\/threshold").get_by_role("button", name="Choose").click()
    page.locator("#inputs\\/threshold\\:0").fill("0.25")
    page.get_by_role("button", name="Show the request").click()
    inputs = {"bands": [{"name": "green", "kind": "radar"}], "threshold": 0.25, "smooth": True}
    page.locator("label[for=in-json]").click()
    assert json.loads(shown(page, "json")) == {"inputs": inputs}
    page.get_by_label("wait for it").check()
    page.get_by_role("button", name="Run", exact=True).last.click()
    assert asked(site, page.url) == {"inputs": inputs}
    assert site.status(page.url.rpartition("/")[2])["status"] == "successful"  # it was waited for


@pytest.mark.parametrize("language", ["curl", "python"])
def test_the_request_runs_as_it_is_shown(site: Mill, page: Page, tmp_path: Path, language: str) -> None:
    value = {"texts": HOSTILE, "numbers": [1, 1.0, 1e-7, 2**60, -0.5, True, None], "": {}, "long": ["x" * 200] * 1000}
    page.goto("/processes/echo?f=html")
    page.locator("#inputs\\/echoInput").fill("\n".join(HOSTILE[:1]))
    page.locator("#inputs\\/mixedInput\\:variant").select_option("1")
    page.locator("#inputs\\/mixedInput\\:1").fill(json.dumps(value))
    expect(page.locator("#request-json")).to_contain_text("BULLET")
    wanted = json.loads(shown(page, "json"))
    assert wanted["inputs"]["mixedInput"] == {"value": value}
    script = tmp_path / "script"
    script.write_text(shown(page, language))
    command = [{"curl": "bash", "python": sys.executable}[language], str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    job = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", done.stdout)
    assert job, done
    assert asked(site, job[0]) == wanted


def test_a_chosen_file_is_sent_at_once(site: Mill, page: Page, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*")
    page.goto("/processes/echo?f=html")
    for button in ("Write it as JSON", "Fill in fields instead"):
        page.locator("#inputs\\/bboxInput-input").get_by_role("button", name=button).click()
    box = page.locator("#inputs\\/bboxInput-input")
    expect(box.get_by_role("button", name="Draw on a map")).to_be_visible()  # also of what a script put there
    page.locator("#inputs\\/imageInput\\:file").focus()
    page.locator("#inputs\\/imageInput\\:file").set_input_files(tmp_path / "a.tif")
    expect(page.locator("#request-json")).to_contain_text("/uploads/")
    href = json.loads(shown(page, "json"))["inputs"]["imageInput"]["href"]
    assert page.request.get(href).body() == b"II*"
    place = page.locator("#inputs\\/imageInput-input")
    expect(place).to_contain_text(re.compile(r"a\.tif, 3 B, is kept here; it expires in 2\d h\."))
    expect(place.locator("input[type=file]")).to_have_count(0)
    remove = place.get_by_role("button", name="Remove a.tif")
    expect(remove).to_be_focused()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as removed:
        remove.press("Enter")
    assert removed.value.status == 204
    expect(page.locator("#inputs\\/imageInput\\:href")).to_have_value("")
    expect(page.locator("#inputs\\/imageInput\\:href")).to_be_focused()
    expect(place.locator("input[type=file]")).to_be_visible()


def test_who_goes_back_finds_what_was_typed(page: Page) -> None:
    page.goto("/processes/echo?f=html")
    page.locator("#inputs\\/numbersInput\\/0").or_(page.locator("#inputs\\/echoInput")).first.fill("typed")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/jobs/**")
    page.go_back()
    expect(page.locator("#inputs\\/echoInput")).to_have_value("typed")


def test_what_is_filled_in_outlives_the_session(open_page: OpenPage, guarded: Mill, tokens: dict[str, str]) -> None:
    page = open_page("/processes/nested", at=guarded, token=tokens["executor"])
    page.get_by_label("Name").fill("green")
    page.get_by_role("radio", name="optical").check()
    page.locator("#inputs\\/bands\\:add").press("Enter")
    page.locator("#inputs\\/bands\\/1\\/name").fill("nir")
    watch_of(page).expected.append("401")
    page.context.clear_cookies()
    page.get_by_label("Day").fill("2026-02-28")
    page.get_by_text("Your session has ended. Log in again; what is filled in here is kept.").wait_for()
    page.get_by_role("button", name="Run", exact=True).last.click()
    page.get_by_role("main").get_by_role("link", name="Log in").click()
    page.get_by_label("Your token").fill(tokens["executor"])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Your entries were kept.")).to_be_visible()
    expect(page).to_have_url(re.compile("/processes/nested$"))
    assert [page.locator(f"#inputs\\/bands\\/{row}\\/name").input_value() for row in (0, 1)] == ["green", "nir"]
    page.get_by_role("button", name="Run", exact=True).last.click()
    expect(page.locator("#errors")).to_be_focused()  # there are a kind and a threshold to be given
    expect(page).to_have_url(re.compile("/processes/nested$"))  # and not where forms are sent to
    page.reload()
    expect(page.get_by_label("Day")).to_have_value("2026-02-28")
    page.get_by_role("button", name="Discard them").click()
    expect(page.get_by_label("Day")).to_have_value("")
    expect(page.get_by_text("Your entries were kept.")).to_have_count(0)
    page.goto("/processes/add")
    page.locator("#inputs\\/a").fill("5")
    page.get_by_role("button", name="Run", exact=True).last.click()
    page.wait_for_url(re.compile("/jobs/"))
    assert page.evaluate("sessionStorage.length") == 0
