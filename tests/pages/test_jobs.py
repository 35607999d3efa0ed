"""The list of jobs in a browser: live, filtered, paged, changed; with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import urllib3
from pages.conftest import OpenPage
from support.browsers import Page, expect, watch_of
from support.mills import Mill

from geomill.jobstore import Status


@pytest.fixture(scope="module")
def jobs(site: Mill) -> Iterator[dict[str, str]]:
    """A job of each kind: the one that runs is dismissed in the end."""
    found = {"sum": site.submit("add", a=1), "failed": site.submit("fail"), "other": site.submit("add", a=2)}
    for job_id in found.values():
        site.ended(job_id)
    found["running"] = site.submit("go-on")
    site.message(found["running"], "waiting")
    yield found
    site.engine.dismiss(found["running"])


def test_a_row_tells_how_a_job_stands(quiet_page: Page, jobs: dict[str, str]) -> None:
    quiet_page.goto("/jobs")
    told = {name: quiet_page.locator(f"#job-{job_id}").inner_text() for name, job_id in jobs.items()}
    assert "successful" in told["sum"] and jobs["sum"][-8:] in told["sum"]
    assert "failed" in told["failed"] and "ValueError: band 'swir'" in told["failed"]
    assert "40 %" in told["running"] and "waiting for the end" in told["running"]
    order = quiet_page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.id)")
    assert order.index(f"job-{jobs['running']}") < order.index(f"job-{jobs['sum']}")


def test_a_filter_needs_no_script_and_keeps_its_values(quiet_page: Page, jobs: dict[str, str]) -> None:
    quiet_page.goto("/jobs")
    quiet_page.get_by_label("failed").check()
    quiet_page.get_by_label("Process").fill("fail")
    quiet_page.get_by_text("By time and duration").click()
    quiet_page.get_by_label("Took at least").fill("0.0001")
    quiet_page.get_by_label("Created from").fill("2020-01-31")
    quiet_page.get_by_role("button", name="Filter").click()
    asked = "processID=fail&status=failed&minDuration=0.0001&datetime=2020-01-31T00%3A00%3A00Z%2F.."
    assert quiet_page.url.endswith(f"/jobs?{asked}")
    expect(quiet_page.locator(f"#job-{jobs['failed']}")).to_be_visible()
    expect(quiet_page.locator(f"#job-{jobs['sum']}")).to_have_count(0)
    expect(quiet_page.get_by_label("failed")).to_be_checked()
    assert [quiet_page.get_by_label(label).input_value() for label in ("Process", "Took at least", "Created from")] == [
        "fail", "0.0001", "2020-01-31",
    ]  # fmt: skip
    quiet_page.get_by_label("Process").fill("no-such")
    quiet_page.get_by_role("button", name="Filter").click()
    expect(quiet_page.get_by_text("No job is like that")).to_be_visible()
    quiet_page.get_by_role("link", name="Show all jobs").click()
    expect(quiet_page.locator(f"#job-{jobs['sum']}")).to_be_visible()


def test_a_filter_that_cannot_be_is_shown_again(quiet_page: Page) -> None:
    quiet_page.goto("/jobs/filter?status=failed&from=2026-01-05&until=2026-01-01&minDuration=abc")
    expect(quiet_page.get_by_role("alert")).to_contain_text("created: the interval ends before it begins")
    expect(quiet_page.get_by_role("alert")).to_contain_text("took at least: Not a valid number")
    expect(quiet_page.get_by_label("failed")).to_be_checked()
    assert quiet_page.get_by_label("Created from").input_value() == "2026-01-05"
    quiet_page.goto("/jobs/changes")
    assert quiet_page.url.endswith("/jobs")


def test_a_list_is_paged(quiet_page: Page, jobs: dict[str, str]) -> None:
    quiet_page.goto("/jobs?processID=add&limit=1")
    expect(quiet_page.locator("tbody tr")).to_have_count(1)
    quiet_page.get_by_role("link", name="Older jobs").click()
    expect(quiet_page.locator(f"#job-{jobs['sum']}")).to_be_visible()
    quiet_page.get_by_role("link", name="First page").click()
    expect(quiet_page.locator(f"#job-{jobs['other']}")).to_be_visible()


def test_a_list_is_live_and_keeps_what_its_reader_does(page: Page, site: Mill, jobs: dict[str, str]) -> None:
    """A job ends: its row says so. Another comes: it is announced, and moves nothing. The server goes: that is said."""
    job_id = site.submit("go-on", percent=7)
    site.message(job_id, "waiting")
    page.goto("/jobs")
    running = page.locator(f"#job-{job_id}")
    expect(running).to_contain_text("7 %")
    running.get_by_role("checkbox").check()
    running.get_by_role("button").focus()
    site.engine.dismiss(job_id)
    watch_of(page).expected.append("ERR_FAILED")
    page.route("**/jobs", lambda route: route.abort())
    expect(page.locator("#lost")).to_contain_text("Not connected, trying again.")
    new = site.submit("add", a=3)
    page.unroute("**/jobs")
    expect(running).to_contain_text("dismissed")
    expect(page.locator("#lost")).to_be_hidden()
    assert running.get_by_role("checkbox").is_checked()
    assert page.evaluate("document.activeElement.value") == f"remove {job_id}"
    expect(page.locator("#live")).to_have_text("1 new job. Show it")
    assert page.locator(f"#job-{new}").count() == 0
    page.get_by_role("link", name="Show it").click()
    expect(page.locator(f"#job-{new}")).to_be_visible()


def test_jobs_are_changed_together_and_each_outcome_is_told(quiet_page: Page, site: Mill) -> None:
    ended, running = site.submit("add", a=4), site.submit("go-on")
    site.ended(ended)
    site.message(running, "waiting")
    quiet_page.goto("/jobs?processID=add,go-on")
    for job_id in (ended, running):
        quiet_page.locator(f"#job-{job_id}").get_by_role("checkbox").check()
    quiet_page.get_by_role("button", name="Remove those that have ended").click()
    expect(quiet_page.get_by_role("heading", level=1)).to_have_text("Remove 2 jobs for good?")
    assert site.store.status(ended).status is Status.SUCCESSFUL
    quiet_page.get_by_role("button", name="Remove 2 jobs and all their files").click()
    expect(quiet_page.get_by_role("heading", level=1)).to_have_text("1 of 2 jobs removed")
    expect(quiet_page.get_by_role("row", name=running)).to_contain_text("It is running: dismiss it first.")
    assert site.store.is_gone(ended)
    quiet_page.go_back()
    quiet_page.go_back()
    quiet_page.locator(f"#job-{running}").get_by_role("button", name=f"Dismiss job {running[-8:]}").click()
    expect(quiet_page.get_by_text(f"Job {running[-8:]} is dismissed.")).to_be_visible()
    expect(quiet_page.locator(f"#job-{running} .job a")).to_be_focused()
    assert site.store.status(running).status is Status.DISMISSED
    assert quiet_page.url.endswith(f"/jobs?processID=add%2Cgo-on&dismissed={running}")


def test_what_was_done_is_told_and_who_did_it_goes_on_from_the_next_row(page: Page, site: Mill) -> None:
    jobs = [site.submit("add", a=number) for number in range(4)]
    for job_id in jobs:
        site.ended(job_id)
    page.goto("/jobs?processID=add")
    page.get_by_role("button", name=f"Remove job {jobs[2][-8:]}").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_role("button", name="Remove 1 job and all its files").click()
    expect(page.locator("#told")).to_have_text(f"Job {jobs[2][-8:]} is removed, with all of its files.")
    expect(page.locator(f"#job-{jobs[1]} .job a")).to_be_focused()
    assert page.url.endswith("/jobs?processID=add")
    for job_id in jobs[:2]:
        page.get_by_role("checkbox", name=f"Choose job {job_id[-8:]}").check()
    page.get_by_role("button", name="Remove those that have ended").click()
    page.get_by_role("button", name="Remove 2 jobs and all their files").click()
    expect(page.locator("#told")).to_have_text("2 jobs are removed, with all of their files.")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator(f"#job-{jobs[3]}")).to_be_visible()


def test_a_row_offers_what_its_reader_may(open_page: OpenPage, guarded: Mill, tokens: dict[str, str]) -> None:
    """A reader changes nothing; who may is not offered the jobs of others; an admin sees whose each is."""

    def submit(role: str) -> str:
        sent = {"Prefer": "respond-async", "Authorization": f"Bearer {tokens[role]}"}
        return str(guarded.call("POST", "/processes/add/execution", {"inputs": {"a": 1}}, **sent).json()["jobID"])

    mine, other = submit("executor"), submit("deployer")
    for job_id in (mine, other):
        guarded.ended(job_id)
    page = open_page("/jobs", at=guarded, token=tokens["executor"])
    seen = page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.id)")
    assert f"job-{mine}" in seen and f"job-{other}" not in seen
    page = open_page("/jobs?owner=deployer", at=guarded, token=tokens["admin"])
    expect(page.locator("tbody tr")).to_have_count(1)
    assert re.search(r"\bdeployer\b", page.locator(f"#job-{other}").inner_text())
    assert page.get_by_label("Owner").input_value() == "deployer"


def test_a_list_of_nothing_says_what_to_do(open_page: OpenPage, guarded: Mill, tokens: dict[str, str]) -> None:
    page = open_page("/jobs", at=guarded, token=tokens["reader"])
    expect(page.get_by_text("There are no jobs yet")).to_be_visible()
    expect(page.get_by_role("link", name="Choose a process")).to_be_visible()


def test_enter_in_a_box_changes_no_job(page: Page, quiet_page: Page, jobs: dict[str, str], site: Mill) -> None:
    """It would press the first button there is, which is that of another job."""
    for each in (page, quiet_page):
        each.goto("/jobs")
        each.get_by_label(f"Choose job {jobs['sum'][-8:]}").check()
        each.keyboard.press("Enter")
        each.wait_for_timeout(300)
        assert each.url.endswith("/jobs")
    assert site.store.status(jobs["running"]).status is Status.RUNNING


@pytest.mark.parametrize(
    "sent, said",
    [
        ("job={running}", "must be &#34;dismiss&#34; or &#34;remove&#34;"),
        ("what=nonsense&sure=1&job={running}", "must be &#34;dismiss&#34; or &#34;remove&#34;"),
        ("what=dismiss&job={running}" + "".join(f"&job={number}" for number in range(1000)), "At most 1000 jobs"),
    ],
)
def test_what_is_not_understood_changes_no_job(site: Mill, jobs: dict[str, str], sent: str, said: str) -> None:
    headers = {"Accept": "text/html", "Origin": site.url, "Content-Type": "application/x-www-form-urlencoded"}
    with urllib3.PoolManager() as pool:
        answer = pool.request("POST", f"{site.url}/jobs/changes", body=sent.format_map(jobs), headers=headers)
    assert (answer.status, said in answer.data.decode()) == (400, True), answer.data.decode()
    assert site.store.status(jobs["running"]).status is Status.RUNNING


@pytest.mark.parametrize(
    "address",
    ["/jobs?removed={sum}", "/jobs?dismissed={running}", "/jobs/{running}?said=dismissed", "/jobs/{sum}?said=kept"],
)
def test_no_link_says_what_is_not_so(quiet_page: Page, jobs: dict[str, str], address: str) -> None:
    quiet_page.goto(address.format_map(jobs))
    assert not re.search("is dismissed|is removed|is kept until", quiet_page.locator("main").inner_text())
