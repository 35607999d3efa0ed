"""The page of a job in a browser: followed, explained, changed."""

from __future__ import annotations

import re

import pytest
from cwl.conftest import needs_sandbox  # type: ignore[import-not-found]
from pages.conftest import OpenPage
from playwright.sync_api import Route
from support.at_work import at_work
from support.browsers import Page, expect, watch_of
from support.hostile import deploy, glob, tool, workflow
from support.mills import Mill
from support.waiting import holds, until

from geomill.jobstore import Status

OUT = {"o": glob("o")}
TEXT = {"f": {"type": "File", "inputBinding": {}}, "breaks": {"type": "boolean", "inputBinding": {"prefix": "-b"}}}
TALK = """
import sys, time
if "-b" in sys.argv:
    raise ValueError('band swir is missing')
for number in range(100000):
    print("window", number, file=sys.stderr, flush=True)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def workflows(site: Mill) -> str:
    """A workflow whose second step goes on, or breaks."""
    needs_sandbox()
    crop = {"run": tool("open('o', 'w').write('a')", OUT), "in": {}, "out": ["o"]}
    otsu = {"run": tool(TALK, OUT, TEXT), "in": {"f": "crop/o", "breaks": "breaks"}, "out": ["o"]}
    given = {"o": {"type": "File", "outputSource": "otsu/o"}}
    deploy(site, workflow({"crop": crop, "otsu": otsu}, given, {"breaks": "boolean"}), "two-steps")
    return "two-steps"


def test_a_workflow_is_watched_until_it_is_dismissed(page: Page, site: Mill, workflows: str) -> None:
    """Its steps arrive, the log of the one that runs grows, and after Dismiss no process of it is left.

    What was done is told, and who did it goes on from the heading.
    """
    job_id = site.submit(workflows, breaks=False)
    page.goto(f"/jobs/{job_id}")
    expect(page.locator("#step-1")).to_contain_text("successful")
    expect(page.locator("#step-2")).to_contain_text("running")
    assert page.locator("#step-2 rect").get_attribute("class") == "bar running"
    expect(page.locator("#log h2")).to_have_text("Log of otsu")
    log = page.locator("pre.tail")
    expect(log).to_contain_text("window 3\n")
    read = log.inner_text()
    last = int(read.split()[-1])
    expect(log).to_contain_text(f"window {last + 20}\n")
    lines = [line for line in log.inner_text().splitlines() if line.startswith("window")]
    assert lines == [f"window {number}" for number in range(len(lines))]  # none twice, none torn
    page.get_by_label("follow").uncheck()
    assert at_work(job_id)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#standing")).to_contain_text("dismissed")
    assert not at_work(job_id)
    assert site.store.status(job_id).status is Status.DISMISSED
    expect(page.locator("#told")).to_have_text("The job is dismissed.")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.url.endswith(job_id)  # an address that is kept, or loaded again, tells it no more
    expect(page.get_by_role("button", name="Retry, and keep finished steps")).to_be_visible()
    expect(page.locator("#step-2")).to_contain_text("dismissed")


def test_a_page_is_told_of_the_end_where_nobody_looks(page: Page, site: Mill) -> None:
    """Title and icon say it, and a sentence for who sees neither, which no step on the way did; what is used stays."""
    job_id = site.submit("talk")
    until(lambda: site.store.status(job_id).status is Status.RUNNING)
    page.goto(f"/jobs/{job_id}")
    expect(page.locator("pre.tail")).to_contain_text("line 5 <script>alert(1)</script>\n")
    assert "\x1b" not in page.locator("pre.tail").inner_text()
    expect(page).to_have_title(re.compile("^▸ running: talk"))
    page.get_by_text("curl", exact=True).click()
    page.locator("#request-curl").focus()
    expect(page.locator("#told")).to_be_empty()
    site.engine.dismiss(job_id)
    expect(page.locator("#standing")).to_contain_text("dismissed")
    expect(page).to_have_title(re.compile("^− dismissed: talk"))
    assert "dismissed" in page.locator("link[rel=icon]").get_attribute("href")
    expect(page.locator("#told")).to_have_text("dismissed: the job was ended by somebody.")
    assert page.evaluate("document.activeElement.id") == "request-curl"
    page.wait_for_load_state("networkidle")
    asked = len(watch_of(page).requests)
    page.wait_for_timeout(2500)
    assert len(watch_of(page).requests) == asked  # there is nothing more to come


def test_what_is_used_and_goes_leads_on_to_the_heading(page: Page, site: Mill) -> None:
    job_id = site.submit("talk")
    page.goto(f"/jobs/{job_id}")
    page.get_by_role("button", name="Dismiss").focus()
    site.engine.dismiss(job_id)
    expect(page.get_by_role("button", name="Run again", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


@pytest.mark.thorough
def test_a_page_that_slept_through_the_end_catches_up(page: Page, site: Mill) -> None:
    """A lid was closed, or the server was away: that is said for as long as it is so, and heals by itself."""
    jobs = [site.submit("talk") for _ in range(2)]
    page.goto(f"/jobs/{jobs[0]}")
    expect(page.locator("pre.tail")).to_contain_text("line 5")
    session = page.context.new_cdp_session(page)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    site.engine.dismiss(jobs[0])
    session.send("Page.setWebLifecycleState", {"state": "active"})
    expect(page.locator("#standing")).to_contain_text("dismissed")
    page.goto(f"/jobs/{jobs[1]}")
    expect(page.locator("pre.tail")).to_contain_text("line 5")
    watch_of(page).expected.append("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    site.engine.dismiss(jobs[1])
    expect(page.get_by_role("alert")).to_contain_text("Not connected, trying again.")
    expect(page.locator("#standing")).to_contain_text("running")
    page.context.set_offline(False)
    expect(page.locator("#standing")).to_contain_text("dismissed")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_page_whose_server_goes_as_its_job_ends_asks_now_and_then(page: Page, site: Mill) -> None:
    job_id, lost = site.submit("talk"), []

    def pass_on(route: Route) -> None:
        if lost:
            lost.append(route.request.url)
            return route.abort()
        answer = route.fetch()
        if route.request.resource_type == "fetch" and "data-running" not in answer.text():
            lost.append("from here on")
        route.fulfill(response=answer)

    page.goto(f"/jobs/{job_id}")
    expect(page.locator("pre.tail")).to_contain_text("line 5")
    watch_of(page).expected.append("ERR_FAILED")
    page.route("**/jobs/**", pass_on)
    site.engine.dismiss(job_id)
    expect(page.get_by_role("alert")).to_contain_text("Not connected, trying again.")
    page.wait_for_timeout(1500)
    assert 1 < len(lost) < 10
    page.unroute("**/jobs/**")


def test_the_first_that_is_written_to_a_log_is_shown(page: Page, site: Mill) -> None:
    job_id = site.submit("go-on")
    site.message(job_id, "waiting")
    page.goto(f"/jobs/{job_id}")
    expect(page.get_by_text("Nothing was written to this log yet.")).to_be_visible()
    for number in (1, 2):
        with (site.store.folder(job_id) / "log").open("a") as log:
            log.write("hello\n")
        expect(page.get_by_role("link", name="raw log")).to_have_text(f"raw log, {6 * number} B")
        expect(page.locator("pre.tail")).to_have_text("hello\n" * number)
    expect(page.get_by_text("Nothing was written")).to_have_count(0)
    site.engine.dismiss(job_id)


def test_a_job_that_waits_shows_its_place_as_it_changes(page: Page, site: Mill) -> None:
    runs, first, second = (site.submit("alone") for _ in range(3))
    site.message(runs, "waiting")
    page.goto(f"/jobs/{second}")
    expect(page.locator("#standing")).to_contain_text("number 2 in the queue")
    site.engine.dismiss(first)
    expect(page.locator("#standing")).to_contain_text("number 1 in the queue")
    site.engine.dismiss(runs)
    expect(page.locator("#standing")).to_contain_text("waiting for the end")
    expect(page.locator("#told")).to_have_text("running: the job is being worked on.")
    site.engine.dismiss(second)


def test_a_log_that_nothing_was_written_to_is_no_blank_page(quiet_page: Page, site: Mill) -> None:
    """Programs get what there is, which is nothing."""
    job_id, running = site.submit("write"), site.submit("go-on")
    site.ended(job_id)
    site.message(running, "waiting")
    quiet_page.goto(f"/jobs/{job_id}")
    expect(quiet_page.get_by_text("Nothing was written to this log.")).to_be_visible()
    quiet_page.get_by_role("link", name="raw log").click()
    expect(quiet_page.get_by_text("Nothing was written to this log.")).to_be_visible()
    answer = site.call("GET", f"/jobs/{job_id}/logs")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"", "text/plain; charset=utf-8")
    quiet_page.goto(f"/jobs/{running}/logs")
    expect(quiet_page.get_by_text("Nothing was written to this log yet.")).to_be_visible()
    site.engine.dismiss(running)
    expect(quiet_page.get_by_role("link", name="Back to the job")).to_be_visible()


def test_a_failure_is_explained(quiet_page: Page, site: Mill) -> None:
    job_id = site.submit("fail", words="band 'swir' is <b>missing</b>")
    site.ended(job_id)
    quiet_page.goto(f"/jobs/{job_id}")
    expect(quiet_page.locator("#standing strong")).to_have_text("ValueError: band 'swir' is <b>missing</b>")
    failure = quiet_page.locator("#failure")
    expect(failure).to_contain_text("The process stopped with an error of its own.")
    expect(failure.locator("pre").last).to_contain_text("reading line 29")
    assert len(failure.locator("pre").last.inner_text().splitlines()) == 20
    quiet_page.get_by_text("lines before it").click()
    expect(quiet_page.get_by_text("reading line 0\n")).to_be_visible()
    edit = quiet_page.get_by_role("link", name="Edit and run again").get_attribute("href")
    assert edit == f"{site.url}/processes/fail?from={job_id}"
    quiet_page.get_by_role("button", name="Run again").click()
    again = quiet_page.url.rpartition("/")[2]
    assert again != job_id and site.ended(again).status is Status.FAILED
    assert site.store.request(again) == site.store.request(job_id)


def test_a_workflow_is_retried_from_the_step_that_failed(quiet_page: Page, site: Mill, workflows: str) -> None:
    job_id = site.submit(workflows, breaks=True)
    site.ended(job_id)
    quiet_page.goto(f"/jobs/{job_id}")
    expect(quiet_page.locator("#standing")).to_contain_text("step otsu ended with code 1")
    expect(quiet_page.locator("#standing strong")).to_have_text("ValueError: band swir is missing")
    quiet_page.get_by_role("link", name="crop", exact=True).click()
    expect(quiet_page.locator("#log h2")).to_have_text("Log of crop")
    quiet_page.get_by_role("button", name="Retry from the failed step").click()
    again = quiet_page.url.rpartition("/")[2]
    assert site.ended(again).retry_of == job_id
    quiet_page.reload()
    expect(quiet_page.locator("#step-1")).to_contain_text("taken over")
    expect(quiet_page.locator("#facts")).to_contain_text(job_id[-8:])


def test_a_job_is_kept_and_removed(quiet_page: Page, site: Mill) -> None:
    job_id = site.submit("write")
    site.ended(job_id)
    quiet_page.goto(f"/jobs/{job_id}")
    quiet_page.get_by_role("button", name="Keep it").click()
    assert site.store.status(job_id).pinned
    expect(quiet_page.get_by_text("The job is kept until somebody removes it.")).to_be_visible()
    expect(quiet_page.get_by_role("button", name="Let it expire")).to_be_focused()
    quiet_page.get_by_role("button", name="Let it expire").click()
    assert not site.store.status(job_id).pinned
    quiet_page.get_by_text("Remove it").click()
    quiet_page.get_by_role("button", name="Remove job and its 3 files").click()
    assert "/jobs?removed=" in quiet_page.url and site.store.is_gone(job_id)
    expect(quiet_page.get_by_text("is removed, with all of its files")).to_be_visible()
    quiet_page.goto(f"/jobs/{job_id}")
    expect(quiet_page.get_by_text("it may have been removed")).to_be_visible()


def test_who_dismisses_too_late_keeps_the_results(page: Page, site: Mill) -> None:
    job_id = site.submit("go-on", seconds=0)
    page.goto(f"/jobs/{job_id}")
    site.ended(job_id)
    page.evaluate("""path => {
      const form = document.createElement("form");
      form.method = "post"; form.action = path; document.body.append(form); form.submit();
    }""", f"/jobs/{job_id}/dismissal")  # fmt: skip
    expect(page.locator(".box").first).to_contain_text("had ended before it could be dismissed")
    assert site.store.results(job_id)


def test_a_job_that_has_expired_says_so(quiet_page: Page, site: Mill) -> None:
    job_id = site.submit("add", a=1)
    site.ended(job_id)
    assert holds(lambda: site.store.expire(job_id, "age").expired)
    quiet_page.goto(f"/jobs/{job_id}")
    expect(quiet_page.locator("#standing")).to_contain_text("it had ended longer ago than jobs are kept")
    expect(quiet_page.get_by_role("button", name="Run again")).to_have_count(0)
    expect(quiet_page.get_by_text("Remove it")).to_be_visible()


def test_a_job_of_somebody_else_is_read_and_not_changed(
    open_page: OpenPage, guarded: Mill, tokens: dict[str, str]
) -> None:
    sent = {"Prefer": "respond-async", "Authorization": f"Bearer {tokens['executor']}"}
    job_id = str(guarded.call("POST", "/processes/add/execution", {"inputs": {"a": 1}}, **sent).json()["jobID"])
    guarded.ended(job_id)
    page = open_page(f"/jobs/{job_id}", at=guarded, token=tokens["executor"])
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    expect(page.locator("#request-json")).to_contain_text('"a": 1')
    page = open_page(f"/jobs/{job_id}", at=guarded, token=tokens["deployer"])
    expect(page.get_by_text("it may have been removed")).to_be_visible()
