"""A job is followed by short answers of server-sent events, each of what is new since the one before."""

from __future__ import annotations

import builtins
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api.conftest import Execute
from flask.testing import FlaskClient
from support import streams
from support.stores import begin, create, succeed
from support.waiting import until
from werkzeug.test import TestResponse

from geomill.app.engine.steps import EVENTS
from geomill.app.live import Told
from geomill.app.server import Geomill
from geomill.app.steps import seen_of

STREAM = {"Accept": "text/event-stream"}


def ask(client: FlaskClient, job_id: str, since: str = "", **headers: str) -> TestResponse:
    return client.get(f"/jobs/{job_id}/events", headers={**STREAM, "Last-Event-ID": since, **headers})


def read(answer: TestResponse) -> tuple[list[tuple[str, Any]], str]:
    """The events of an answer, and its id."""
    assert (answer.status_code, answer.content_type) == (200, "text/event-stream"), answer.data
    return streams.read(answer.text)


def kinds(events: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(kind, content.get("id") or content.get("name") or content["status"]) for kind, content in events]


@pytest.fixture
def running(app: Geomill) -> Iterator[tuple[str, Path]]:
    """A job that runs as far as anybody can tell, and its folder."""
    job_id = create(app.jobs)
    begin(app.jobs, job_id)
    folder = app.jobs.folder(job_id)
    with open(folder / "job.json", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield job_id, folder


def say(folder: Path, step: str, **event: Any) -> None:
    """Write down an event, and a line into the log of its step."""
    with open(folder / EVENTS, "a") as file:
        content = {"time": "2026-01-31T12:00:00.000Z", "step": step, "event": "started", **event}
        file.write(json.dumps(content) + "\n")
    (folder / "logs").mkdir(exist_ok=True)
    with open(folder / "logs" / f"{step}.log", "a") as file:
        file.write("hello\n")


def test_a_job_is_told_as_it_goes(client: FlaskClient, app: Geomill, running: tuple[str, Path]) -> None:
    job_id, folder = running
    events, last = read(ask(client, job_id))
    assert kinds(events) == [("status", "running")]
    assert read(ask(client, job_id, last)) == ([], last)
    say(folder, "a")
    events, last = read(ask(client, job_id, last))
    assert kinds(events) == [("step", "a"), ("log", "a.log")]
    assert events[0][1]["log"] == events[1][1]["href"] == f"http://localhost/jobs/{job_id}/logs/a.log"
    assert client.get(events[1][1]["href"]).data == b"hello\n" and events[1][1]["size"] == 6
    (folder / "log").write_text("printed\n")
    say(folder, "a", event="ended", outcome="success", peak_memory=5)
    say(folder, "b")
    app.jobs.report(job_id, 50, "half of it")
    events, last = read(ask(client, job_id, last))
    assert kinds(events)[:3] == [("status", "running"), ("step", "a"), ("step", "b")]
    assert {name for kind, name in kinds(events) if kind == "log"} == {"log", "a.log", "b.log"}
    assert (events[0][1]["progress"], events[1][1]["status"], events[1][1]["peakMemory"]) == (50, "successful", 5)
    succeed(app.jobs, job_id, begun=True)
    events, last = read(ask(client, job_id, last))
    assert kinds(events) == [("status", "successful"), ("step", "b")]
    assert client.get(f"/jobs/{job_id}/events?f=json").json["steps"][1]["status"] == events[1][1]["status"] == "failed"
    over = ask(client, job_id, last)
    assert (over.status_code, over.data) == (204, b"")


def test_who_comes_late_is_told_everything(client: FlaskClient, app: Geomill, running: tuple[str, Path]) -> None:
    job_id, folder = running
    say(folder, "a")
    succeed(app.jobs, job_id, begun=True)
    for since in ("", "garbage", "\N{SUPERSCRIPT TWO}".encode().decode("latin-1")):
        assert [kind for kind, _ in read(ask(client, job_id, since))[0]] == ["status", "step", "log"]
    far = f"{'0' * 24}--999999-00000000-0-0"  # by the id of another job, or of its life before
    assert [kind for kind, _ in read(ask(client, job_id, far))[0]] == ["status", "step", "log"]


def test_half_a_line_is_told_when_it_is_whole(client: FlaskClient, running: tuple[str, Path]) -> None:
    job_id, folder = running
    line = json.dumps({"time": "2026-01-31T12:00:00.000Z", "step": "a", "event": "started"})
    (folder / EVENTS).write_text(line[:20])
    events, last = read(ask(client, job_id))
    assert kinds(events) == [("status", "running")]
    (folder / EVENTS).write_text(f"{line}\n")
    assert kinds(read(ask(client, job_id, last))[0]) == [("step", "a")]


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "started", "step": "b", "time": "0001-01-01T00:00:00+14:00"}',
        '{"event": "ended", "step": "b", "time": "2026-01-31T12:00:00.000Z", "seconds": NaN}',
        '{"event": "ended", "step": "b", "time": "2026-01-31T12:00:00.000Z", "seconds": -Infinity}',
        "[" * 200_000,
    ],
    ids=["a time that UTC has not", "NaN", "infinity", "brackets"],
)
def test_a_line_that_makes_no_sense_takes_no_other_with_it(
    client: FlaskClient, running: tuple[str, Path], line: str
) -> None:
    job_id, folder = running
    say(folder, "a")
    with open(folder / EVENTS, "a") as file:
        file.write(f"{line}\n")
    say(folder, "c")
    assert [kind for kind in kinds(read(ask(client, job_id))[0]) if kind[0] == "step"] == [("step", "a"), ("step", "c")]
    for path in ("", "/events"):
        for accept in ("application/json", "text/html"):
            assert client.get(f"/jobs/{job_id}{path}", headers={"Accept": accept}).status_code == 200


def test_a_page_goes_on_from_what_it_shows(client: FlaskClient, app: Geomill, running: tuple[str, Path]) -> None:
    job_id, folder = running
    say(folder, "a")
    mark = str(seen_of(app.jobs, app.engine, job_id, Told()).told)
    assert read(client.get(f"/jobs/{job_id}/events?since={mark}", headers=STREAM)) == ([], mark)
    say(folder, "b")
    new = read(client.get(f"/jobs/{job_id}/events?since={mark}", headers=STREAM))
    assert kinds(new[0])[0] == ("step", "b")
    assert read(ask(client, job_id, new[1])) == ([], new[1])


def test_a_waiting_job_has_no_place_where_nobody_can_tell(client: FlaskClient, app: Geomill) -> None:
    ((_, status),), last = read(ask(client, job_id := create(app.jobs)))
    assert (status["status"], status["place"]) == ("accepted", None)
    assert read(ask(client, job_id, last)) == ([], last)


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/event-stream"])
def test_who_does_not_want_a_stream_gets_the_document(
    client: FlaskClient, running: tuple[str, Path], accept: str | None
) -> None:
    answer = client.get(f"/jobs/{running[0]}/events", headers={"Accept": accept} if accept else {})
    assert (answer.content_type, answer.json["steps"]) == ("application/json", [])


def test_no_answer_is_kept_by_a_cache_or_has_an_etag(client: FlaskClient, running: tuple[str, Path]) -> None:
    answer = ask(client, running[0], **{"If-None-Match": "*"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "ETag" not in answer.headers and int(answer.headers["Content-Length"]) == len(answer.data)


def test_an_unchanged_job_costs_a_few_calls(
    client: FlaskClient, running: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its steps have said, and however much."""
    job_id, folder = running
    for number in range(200):
        say(folder, "a", seconds=number)
    _, last = read(ask(client, job_id))
    calls: list[str] = []

    def counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            calls.append(f"{name} {re.sub('.*/', '', str(args[0]))}")
            return original(*args, **more)

        return call

    with monkeypatch.context() as patch:
        for module, name in ((os, "stat"), (os, "open"), (os, "scandir"), (os, "listdir"), (builtins, "open")):
            patch.setattr(module, name, counted(name, getattr(module, name)))
        assert read(ask(client, job_id, last)) == ([], last)
    of_the_job = [call for call in calls if call.split()[1] in {path.name for path in folder.iterdir()}]
    assert sorted(of_the_job) == ["open job.json", "open status.json", "scandir logs", f"stat {EVENTS}"], calls
    assert len(calls) < 12, calls


def test_a_real_job_is_followed_to_its_end(
    worker: FlaskClient, working: Geomill, execute: Execute, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    job_id = execute("wait", {"inputs": {"flag": str(flag)}}, Prefer="respond-async").json["jobID"]
    last, told = "", []

    def poll() -> bool:
        nonlocal last
        answer = ask(worker, job_id, last)
        if answer.status_code == 204:
            return True
        events, last = read(answer)
        told.extend(content["status"] for kind, content in events if kind == "status")
        if told[-1] == "running":
            flag.touch()
        return False

    until(poll, 30)
    assert told[-2:] == ["running", "successful"]
    assert working.jobs.status(job_id).status.final
