"""What the pages of jobs say, where it needs no server: times on an axis, the end of a log, filters, estimates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from werkzeug.datastructures import MultiDict

from geomill.app.engine import child
from geomill.app.pages import causes, logs, timeline, words
from geomill.app.pages.estimate import Run, left
from geomill.app.pages.job import first_failed
from geomill.app.pages.jobs import query

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def step(id: str, began: float, ended: float | None = None) -> dict[str, Any]:
    told = {"id": id, "status": "running" if ended is None else "successful", "started": at(began).isoformat()}
    return told if ended is None else {**told, "finished": at(ended).isoformat()}


def test_steps_are_bars_in_the_order_in_which_they_began() -> None:
    axis = timeline.of([step("b", 5), step("a", 0, 5)], BEGIN, at(10))
    assert [(bar.id, bar.begin, bar.width) for bar in axis.bars] == [("a", 0, 50), ("b", 50, 50)]
    assert axis.bars[1].told == "after 5.0 s, for 5.0 s"
    assert [(tick.at, tick.text) for tick in axis.ticks] == [
        (0, "0"), (20, "2 s"), (40, "4 s"), (60, "6 s"), (80, "8 s"), (100, "10 s"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "seconds, last",
    [(0.002, "2 ms"), (0.9, "800 ms"), (59, "50 s"), (3600, "1 h"), (86400, "1 d"), (90 * 86400, "90 d"), (0, "1 ms")],
)
def test_an_axis_has_few_round_ticks(seconds: float, last: str) -> None:
    axis = timeline.of([], BEGIN, at(seconds))
    assert 2 <= len(axis.ticks) <= 7 and axis.ticks[-1].text == last


def test_what_is_too_short_to_be_seen_is_seen_and_stays_on_the_axis() -> None:
    axis = timeline.of([step("a", 0, 0), step("b", 1000, 1000), {"id": "c", "status": "failed"}], BEGIN, at(1000))
    assert all(bar.width > 0 and 0 <= bar.begin <= 100 - bar.width for bar in axis.bars)


@pytest.mark.parametrize(
    "line, shown",
    [
        ("plain", "plain"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10 %\r50 %\r100 %", "100 %"),
        ("dos\r", "dos"),
        ("bell\x07 back\x08 nul\x00 \x9b csi", "bell\ufffd back\ufffd nul\ufffd \ufffd csi"),
        ("turned \u202earound\u2066", "turned \ufffdaround\ufffd"),
        ("tab\tstays", "tab\tstays"),
        ("x" * 2100, "x" * 2000 + " ... 100 more characters"),
    ],
)
def test_a_line_of_a_log_is_only_text(line: str, shown: str) -> None:
    assert logs.clean(line) == shown


def test_the_end_of_a_log_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    end = logs.end_of(path)
    assert (len(end.lines), end.lines[-1], end.cut, end.size) == (logs.LINES, "line 99999", True, path.stat().st_size)
    path.write_bytes(b"y" * 1_000_000)
    assert len(logs.end_of(path).text) < 2 * logs.WIDEST
    path.write_bytes(b"\xff\xfe\n")
    assert logs.end_of(path) == logs.End(["\ufffd\ufffd"], 3, False)


def test_what_is_no_file_has_no_end(tmp_path: Path) -> None:
    """A job may put a pipe that nobody writes to, or a link, where its log is."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("pipe", "link", "missing", "."):
        assert logs.end_of(tmp_path / name) == logs.End([], 0, False)


def test_a_traceback_says_last_what_was_raised() -> None:
    told = ["start", "Traceback (most recent call last):", '  File "a.py", line 1', "    f()", "ValueError: no", "end"]
    assert logs.raised(told) == "ValueError: no"
    assert logs.raised(["ValueError: only said"]) is None
    assert logs.raised(told[:3]) is None


@pytest.mark.parametrize(
    "form, asked",
    [
        ({"status": "", "owner": " ", "from": "", "until": "", "minDuration": "", "processID": ""}, {}),
        ({"processID": " echo, add ", "limit": "5"}, {"processID": ["echo, add"], "limit": ["5"]}),
        ({"from": "2026-01-31"}, {"datetime": ["2026-01-31T00:00:00Z/.."]}),
        ({"until": "2026-01-31", "x": "y"}, {"datetime": ["../2026-01-31T23:59:59Z"]}),
    ],
)
def test_a_form_asks_for_what_was_filled_in(form: dict[str, str], asked: dict[str, list[str]]) -> None:
    assert query(MultiDict(form)) == asked


USUAL = (100.0, 110, 120, 130, 140, 150, 160)  # seconds of runs before
FROM_7, OWN = "an estimate, from 7 runs.", "an estimate, from its own progress."
BOTH = "an estimate, from its own progress and 7 runs."


@pytest.mark.parametrize(
    "durations, run, told",
    [
        (USUAL, None, f"Once begun, it takes about 2 minutes: {FROM_7}"),
        (USUAL, Run(10), f"About 2 minutes left: {FROM_7}"),
        (USUAL, Run(125), f"10 to 30 seconds left: {FROM_7}"),
        (USUAL, Run(200), "It takes longer than usual: the median of 7 runs is 2 min 10 s."),
        (USUAL, Run(50, 50, 49), f"About 1 minute left: {BOTH}"),
        (USUAL, Run(300, 90, 290), f"About 30 seconds left: {OWN}"),  # the others were not like this one
        (USUAL, Run(10, 5, 9), f"About 2 minutes left: {FROM_7}"),  # it has hardly begun
        (USUAL, Run(50, 50, 1), f"1 to 2 minutes left: {FROM_7}"),  # it stands still
        ((), Run(50, 50, 49), f"About 50 seconds left: {OWN}"),
        ((), Run(3600, 25, 3500), f"About 3 hours left: {OWN}"),
        ((10, 20, 300, 400, 500), None, "Once begun, it takes up to 7 minutes: an estimate, from 5 runs."),
        ((10, 20, 300, 400, 500), Run(30), "5 to 7 minutes left: an estimate, from 5 runs."),
        ((100, 200), None, None),  # two runs are not enough
        ((100, 200), Run(10), None),
        ((2, 2, 2), Run(1), None),  # it is over before that is read
        ((), None, None),
        ((), Run(100), None),
        ((), Run(100, 100, 99), None),  # all is done, but for what it does not tell
    ],
)
def test_an_estimate_says_what_it_is_based_on(durations: Sequence[float], run: Run | None, told: str | None) -> None:
    assert left(durations, run) == told


@pytest.mark.parametrize(
    "seconds, told",
    [(3, "a few seconds"), (9, "10 seconds"), (54, "50 seconds"), (60, "1 minute"), (150, "2 minutes"),
     (800, "15 minutes"), (5400, "90 minutes"), (7300, "2 hours"), (400_000, "5 days")],
)  # fmt: skip
def test_what_nobody_knows_well_is_told_in_round_numbers(seconds: float, told: str) -> None:
    assert words.roughly(seconds) == told


def test_of_many_steps_the_latest_are_shown_and_all_that_did_not_go_well() -> None:
    steps = [step(f"s{number}", number, number + 1) for number in range(500)]
    steps[3]["status"], steps[499] = "failed", step("s499", 499)
    axis = timeline.of(steps, BEGIN, at(500), logs={"s3.log"}, skipped={"s498"})
    shown = [bar.id for bar in axis.bars]
    assert shown == ["s3", *(f"s{number}" for number in range(500 - timeline.MOST + 1, 500))]
    assert (axis.left_out, axis.bars[0].log, axis.bars[1].log, axis.bars[-2].note) == (300, "s3.log", "", "skipped")


def test_every_cause_is_explained() -> None:
    known = {*child.CAUSES, "signal", "lost", "rebooted", "terminated", "publish", "time-limit"}
    assert known <= set(causes.CAUSES)
    assert causes.of("something new") is causes.UNKNOWN and causes.of(None).turn


def test_a_job_failed_of_the_step_that_failed_before_any_other() -> None:
    steps = [
        {"id": "a", "status": "failed", "finished": "2026-01-31T12:00:02.000Z"},
        {"id": "b", "status": "failed", "finished": "2026-01-31T12:00:01.000Z"},
        {"id": "c", "status": "failed"},
        {"id": "d", "status": "successful", "finished": "2026-01-31T12:00:00.000Z"},
    ]
    assert first_failed(steps) == steps[1] and first_failed(steps[2:]) == steps[2] and first_failed(steps[3:]) is None


def test_an_address_goes_on_after_a_slash_and_stays_the_text_that_it_is() -> None:
    text = "curl \"http://h:8/a/b-c\" -H 'x: a/b' <i>"
    broken = words.breakable_addresses(text)
    assert str(broken) == str(escape(text)).replace("8/a/b", "8/<wbr>a/<wbr>b")
    assert words.breakable_addresses("http://h/a" * 5000) == "http://h/a" * 5000
