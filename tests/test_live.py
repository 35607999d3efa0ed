"""What is new of a job since somebody was told: by states of it, one after the other. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from geomill.app.engine.steps import LogFile
from geomill.app.live import RETRY, SLACK, Seen, Told, news, retry, stream
from geomill.jobstore import Status, StatusInfo

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ACCEPTED = StatusInfo("0191b8a0-0000-7000-8000-000000000000", "echo", "ann", NOW, updated=NOW)
RUNNING = replace(ACCEPTED, status=Status.RUNNING, started=NOW, updated=NOW + timedelta(seconds=1))
SUCCESSFUL = replace(RUNNING, status=Status.SUCCESSFUL, progress=100, finished=NOW + timedelta(seconds=9))
DISMISSED = replace(RUNNING, status=Status.DISMISSED, finished=NOW)
BEGUN = {"event": "started", "step": "a", "time": "2026-01-31T12:00:00.000Z"}
ENDED = {"event": "ended", "step": "a", "time": "2026-01-31T12:00:05.000Z", "outcome": "success", "exit_code": 0}
MINUTE = 60 * SLACK


def seen(info: StatusInfo, *happened: dict[str, Any], new: int = 0, **more: Any) -> Seen:
    """A job with these events, of which the last `new` ones are."""
    changed = frozenset(event["step"] for event in happened[len(happened) - new :])
    given = {"place": None, "logs": (), "size": 100 * len(happened), **more}
    return Seen(info, happened=happened, changed=changed, **given)


def log(name: str, size: int, written: int = MINUTE) -> LogFile:
    return LogFile(name, size, written)


def test_who_knows_nothing_is_told_everything() -> None:
    told = dict(news(seen(RUNNING, BEGUN, new=1, logs=[log("log", 5)]), Told()))
    assert told == {
        "status": {
            "status": "running", "progress": None, "message": None, "cause": None, "place": None,
            "created": "2026-01-31T12:00:00.000Z", "started": "2026-01-31T12:00:00.000Z", "finished": None,
            "updated": "2026-01-31T12:00:01.000Z",
        },
        "step": {"id": "a", "status": "running", "started": "2026-01-31T12:00:00.000Z"},
        "log": {"name": "log", "size": 5},
    }  # fmt: skip


def test_who_knows_everything_is_told_nothing() -> None:
    now = seen(RUNNING, BEGUN, logs=[log("log", 5), log("a.log", 1)])
    assert list(news(now, now.told)) == []


CHANGES: dict[str, tuple[Seen, Seen, list[str]]] = {
    "progress": (seen(RUNNING), seen(replace(RUNNING, progress=5)), ["status"]),
    "place": (seen(ACCEPTED, place=2), seen(ACCEPTED, place=1), ["status"]),
    "begin": (seen(ACCEPTED, place=1), seen(RUNNING), ["status"]),
    "step begins": (seen(RUNNING), seen(RUNNING, BEGUN, new=1), ["step a running"]),
    "step ends": (seen(RUNNING, BEGUN), seen(RUNNING, BEGUN, ENDED, new=1), ["step a successful"]),
    "one step of two": (
        seen(RUNNING, BEGUN),
        seen(RUNNING, BEGUN, {**BEGUN, "step": "b"}, new=1),
        ["step b running"],
    ),
    "job ends": (seen(RUNNING, BEGUN, ENDED), seen(SUCCESSFUL, BEGUN, ENDED), ["status"]),
    "job is dismissed": (seen(RUNNING, BEGUN), seen(DISMISSED, BEGUN), ["status", "step a dismissed"]),
    "log": (seen(RUNNING, logs=[log("log", 1)]), seen(RUNNING, logs=[log("log", 2)]), ["log log 2"]),
    "new log": (seen(RUNNING), seen(RUNNING, logs=[log("a.log", 0)]), ["log a.log 0"]),
    "log of many": (
        seen(RUNNING, logs=[log("a.log", 1), log("b.log", 1)]),
        seen(RUNNING, logs=[log("a.log", 1, 0), log("b.log", 2, 2 * MINUTE)]),
        ["log b.log 2"],
    ),
    "log whose time was set": (
        seen(RUNNING, logs=[log("a.log", 1, 9 * MINUTE), log("b.log", 1)]),
        seen(RUNNING, logs=[log("a.log", 1, 0), log("b.log", 2)]),
        ["log a.log 1", "log b.log 2"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_told_once(change: str) -> None:
    before, after, expected = CHANGES[change]
    told = Told.read(str(before.told))
    said = [
        " ".join([kind, *(str(content[name]) for name in ("id", "name", "size") if name in content)])
        + (f" {content['status']}" if kind == "step" else "")
        for kind, content in news(after, told)
    ]
    assert said == expected
    assert list(news(replace(after, changed=frozenset()), Told.read(str(after.told)))) == []


def test_an_id_survives_its_way_and_is_short() -> None:
    told = seen(SUCCESSFUL, BEGUN, place=9, logs=[log("log", 10**12, 2**63)]).told
    assert Told.read(str(told)) == told
    assert len(str(told)) < 200


@pytest.mark.parametrize(
    "text", ["", "garbage", "1", "-" * 5, "\N{SUPERSCRIPT TWO}" * 40, f"{'a' * 24}--{'9' * 400}-{'0' * 8}-0-0", "\0"]
)
def test_an_id_that_is_none_of_ours_begins_anew(text: str) -> None:
    assert Told.read(text) == Told()


def test_an_answer_is_a_stream_that_ends_with_its_id() -> None:
    now = seen(RUNNING)
    message = 'two\nlines\r\nid: 1\n\nevent: status "\u2028'
    body = stream([("status", {"message": message}), ("log", {"name": "log"})], now, NOW.timestamp())
    first, second, third, last, nothing = body.split(b"\n\n")
    kind, data = second.split(b"\n")
    assert (first, kind, last, nothing) == (b"retry: 2000", b"event: status", f"id: {now.told}".encode(), b"")
    assert json.loads(data.removeprefix(b"data: ")) == {"message": message}
    assert third == b'event: log\ndata: {"name":"log"}'


@pytest.mark.parametrize(
    "silent, expected", [(-9, 2000), (0, 2000), (20, 2000), (30, 3000), (50, 5000), (10**6, 5000), (10**12, 5000)]
)
@pytest.mark.parametrize("since", ["its status", "its log"])
def test_who_is_told_nothing_for_long_asks_less_often(silent: int, expected: int, since: str) -> None:
    moment = (NOW + timedelta(seconds=1)).timestamp()
    logs = (log("log", 1, int((moment + 500) * SLACK)),) if since == "its log" else ()
    assert retry(seen(RUNNING, logs=logs), moment + 500 * bool(logs) + silent) == expected
    assert RETRY == (2000, 5000)
