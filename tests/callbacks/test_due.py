"""What is to be told next, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from geomill.app.callbacks import due
from geomill.app.callbacks.due import Delivery, delivery, judged, pause, when
from geomill.jobstore import Status, StatusInfo
from geomill.jobstore.records import new_job_id, now

NOW = now()
DAY = 86400.0
ALL = {"successUri": "http://r/s", "inProgressUri": "http://r/p", "failedUri": "http://r/f"}
JOB = StatusInfo(new_job_id(), "echo", "", NOW, updated=NOW)
RUNS = replace(JOB, status=Status.RUNNING)
DONE = Delivery(f"{JOB.job_id}-success", due.SUCCESS, "http://r/s", NOW)


@pytest.mark.parametrize(
    ("status", "event", "uri"),
    [
        (Status.ACCEPTED, None, None),
        (Status.RUNNING, due.IN_PROGRESS, "http://r/p"),
        (Status.SUCCESSFUL, due.SUCCESS, "http://r/s"),
        (Status.FAILED, due.FAILED, "http://r/f"),
        (Status.DISMISSED, due.FAILED, "http://r/f"),
    ],
)
def test_each_state_is_told_where_it_was_asked_for(status: Status, event: str | None, uri: str | None) -> None:
    found = delivery(replace(JOB, status=status, finished=NOW if status.final else None), ALL)
    assert (found and found.event, found and found.uri) == (event, uri)


def test_nobody_hears_what_he_did_not_ask_for() -> None:
    assert delivery(RUNS, {"successUri": "http://r/s"}) is None
    assert delivery(replace(JOB, status=Status.FAILED, finished=NOW), {"successUri": "http://r/s"}) is None


def test_the_end_has_one_id_and_each_report_of_progress_its_own() -> None:
    later = replace(RUNS, progress=50, updated=NOW + timedelta(seconds=1))
    reports = [delivery(each, ALL) for each in (RUNS, RUNS, later)]
    assert [each.id for each in reports if each][:2] == [reports[0].id] * 2  # type: ignore[union-attr]
    assert reports[2] and reports[0] and reports[2].id != reports[0].id
    assert all(each and "." not in each.id for each in reports)  # it stands in what is signed, between dots


def test_a_first_attempt_is_made_at_once_and_others_after_twice_as_long() -> None:
    assert when(DONE, [], NOW.timestamp()) == NOW.timestamp()
    lines: list[dict[str, Any]] = []
    for tries in range(1, 14):
        lines.append(judged(DONE, NOW, lines, DAY, 503, "").line)
        wait = (when(DONE, lines, NOW.timestamp()) or 0) - NOW.timestamp()
        assert wait == pytest.approx(min(2 ** (tries - 1), 3600), rel=0.11)
    assert pause("a", 10_000) <= 1.1 * 3600


@pytest.mark.parametrize(
    ("status", "age", "outcome"),
    [
        (200, 0, "delivered"),
        (204, 0, "delivered"),
        (202, 2 * DAY, "delivered"),
        (None, 0, "failed"),
        (503, 0, "failed"),
        (404, 0, "failed"),
        (301, 0, "failed"),
        (503, DAY - 0.5, "given-up"),
        (None, 2 * DAY, "given-up"),
        (410, 0, "given-up"),
    ],
)
def test_what_comes_of_an_answer(status: int | None, age: float, outcome: str) -> None:
    """age: seconds since the first attempt."""
    before = [judged(DONE, NOW, [], DAY, 503, "").line]
    assert judged(DONE, NOW + timedelta(seconds=age), before, DAY, status, "").outcome == outcome


def test_the_patience_begins_with_the_first_attempt() -> None:
    """The server may have been stopped for longer than that before."""
    assert judged(DONE, NOW + timedelta(days=9), [], DAY, 503, "").outcome == "failed"


def test_what_a_receiver_has_to_say_is_kept_in_part() -> None:
    assert len(judged(DONE, NOW, [], DAY, None, "x" * 100_000).line["message"]) == due.LONGEST_MESSAGE


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    ahead = [judged(DONE, NOW + timedelta(days=400), [], DAY, 503, "").line]
    assert (when(DONE, ahead, NOW.timestamp()) or 0) - NOW.timestamp() < 2
    assert when(replace(DONE, since=NOW + timedelta(days=400)), [], NOW.timestamp()) == NOW.timestamp()


@pytest.mark.parametrize("outcome", ["delivered", "given-up"])
def test_what_is_settled_is_not_tried_again(outcome: str) -> None:
    line = {"id": DONE.id, "event": "success", "time": "2026-01-01T00:00:00Z", "outcome": outcome}
    assert when(DONE, [line], NOW.timestamp()) is None


def test_reports_of_progress_keep_a_distance() -> None:
    report = delivery(replace(RUNS, updated=NOW + timedelta(seconds=1)), ALL)
    assert report
    before = delivery(RUNS, ALL)
    assert before
    lines = [judged(before, NOW, [], DAY, 200, "").line]
    assert when(report, lines, NOW.timestamp()) == NOW.timestamp() + due.BETWEEN_REPORTS
    assert when(DONE, lines, NOW.timestamp()) == NOW.timestamp()  # the end does not wait


@pytest.mark.parametrize("line", [{}, {"id": DONE.id}, {"id": DONE.id, "time": 7}, {"id": DONE.id, "time": "never"}])
def test_a_strange_line_stops_nothing(line: dict[str, Any]) -> None:
    assert when(DONE, [line], NOW.timestamp()) is not None
