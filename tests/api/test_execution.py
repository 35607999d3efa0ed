"""Executions: their mode, their answers, what is refused."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.server import Geomill

ADD: dict[str, Any] = {"inputs": {"a": 1, "b": 2}}
STYLE_1_0: dict[str, Any] = {**ADD, "response": "raw"}


Execute = Callable[..., TestResponse]


@pytest.mark.parametrize(
    "process, prefer, status, applied",
    [
        ("add", None, 200, None),
        ("add", "respond-sync", 200, None),
        ("add", "wait=20", 200, "wait=20"),
        ("add", "respond-async, wait=20", 200, "wait=20"),
        ("add", "respond-async", 201, "respond-async"),
        ("add", "respond-async ", 201, "respond-async"),
        ("add", "respond-async;return=representation", 201, "respond-async;return=representation"),
        ("later", None, 201, None),
        ("later", "respond-async", 201, "respond-async"),
    ],
)
def test_prefer_decides_how_it_is_answered(
    execute: Execute, process: str, prefer: str | None, status: int, applied: str | None
) -> None:
    body = ADD if process == "add" else {}
    answer = execute(process, body, **({"Prefer": prefer} if prefer else {}))
    assert (answer.status_code, answer.headers.get("Preference-Applied")) == (status, applied)


def test_a_process_that_is_only_waited_for_is_waited_for(execute: Execute, tmp_path: Path) -> None:
    (tmp_path / "flag").touch()
    answer = execute("waited", {"inputs": {"flag": str(tmp_path / "flag")}}, Prefer="respond-async")
    assert (answer.status_code, answer.json) == (200, 1)


def test_an_accepted_job_is_named_and_shown(worker: FlaskClient, execute: Execute) -> None:
    answer = execute("add", ADD, Prefer="respond-async")
    assert answer.headers["Location"] == f"http://localhost/jobs/{answer.json['jobID']}"
    assert answer.json["status"] == "accepted"
    assert worker.get(answer.headers["Location"]).json["jobID"] == answer.json["jobID"]


def test_an_answer_in_the_style_of_1_0_names_its_job_in_location_and_has_no_link(
    worker: FlaskClient, execute: Execute
) -> None:
    answer = execute("add", STYLE_1_0)
    assert worker.get(answer.headers["Location"]).json["status"] == "successful"
    assert "Link" not in answer.headers


def test_an_answer_in_the_style_of_2_0_names_its_job_in_a_link(worker: FlaskClient, execute: Execute) -> None:
    answer = execute("add", ADD)
    (link,) = answer.headers.getlist("Link")
    href, rel, _ = link.split("; ")
    assert rel == 'rel="monitor"'
    assert worker.get(href.strip("<>")).json["status"] == "successful"


@pytest.mark.parametrize(
    "members, status, media_type, body",
    [
        ({}, 200, "application/json", b"3"),
        ({"response": "raw"}, 200, "application/json", b"3"),
        ({"response": "document"}, 200, "application/json", b'{"result": 3}'),
        ({"outputs": {"result": {"transmissionMode": "value"}}}, 200, "application/json", b"3"),
        ({"outputs": {"result": {"transmissionMode": "reference"}}}, 204, None, b""),
        ({"outputs": {}}, 204, None, b""),
    ],
)
def test_the_form_of_an_answer_follows_the_request(
    execute: Execute, members: dict[str, Any], status: int, media_type: str | None, body: bytes
) -> None:
    answer = execute("add", {**ADD, **members})
    assert (answer.status_code, answer.headers.get("Content-Type"), answer.data) == (status, media_type, body)


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_a_json_body_is_read_whatever_it_is_called(worker: FlaskClient, media_type: str) -> None:
    answer = worker.post("/processes/add/execution", data=b'{"inputs": {"a": 1}}', content_type=media_type)
    assert (answer.status_code, answer.json) == (200, 2)


@pytest.mark.parametrize(
    "body, kind",
    [
        (b"", "invalid-request"),
        (b"{", "invalid-request"),
        (b"[]", "invalid-request"),
        (b'{"inputs": []}', "invalid-request"),
        (b'{"inputs": {"a": 1}, "outputs": {"none": {}}}', "invalid-request"),
        (b'{"invalid-execute-request": "true)"}', "invalid-request"),
        (b'{"inputs": {}}', "bad-input"),
        (b'{"inputs": {"a": "one"}}', "bad-input"),
        (b'{"inputs": {"a": 1, "none": 1}}', "bad-input"),
        (b'{"inputs": {"a": {"href": "file:///etc/hostname"}}}', "bad-input"),
    ],
)
@pytest.mark.parametrize("prefer", ["respond-async", "wait=20"])
def test_a_bad_request_is_refused_before_there_is_a_job(
    worker: FlaskClient, working: Geomill, body: bytes, kind: str, prefer: str
) -> None:
    before = len(list(working.jobs.walk()))
    answer = worker.post("/processes/add/execution", data=body, headers={"Prefer": prefer})
    assert (answer.status_code, answer.json["type"]) == (400, f"http://localhost/problems/{kind}")
    assert len(list(working.jobs.walk())) == before


@pytest.mark.parametrize(
    "how, status, kind",
    [
        ("error", 500, "process-failed"),
        ("exit", 500, "process-failed"),
        ("input", 400, "bad-input"),
        ("disk", 503, "disk-full"),
    ],
)
def test_a_failure_is_the_answer_and_stays_it(
    worker: FlaskClient, execute: Execute, how: str, status: int, kind: str
) -> None:
    answer = execute("fail", {"inputs": {"how": how}})
    assert (answer.status_code, answer.json["type"]) == (status, f"http://localhost/problems/{kind}")
    job = worker.get(answer.json["instance"]).json
    (link,) = (link for link in job["links"] if link["rel"].endswith("/exceptions"))
    assert worker.get(link["href"]).json == answer.json
    assert job["message"] == answer.json["detail"]


def test_a_process_that_runs_too_long_is_stopped(execute: Execute) -> None:
    answer = execute("endless", {})
    assert (answer.status_code, answer.json["type"]) == (504, "http://localhost/problems/time-limit")


def test_a_job_that_takes_longer_than_the_client_waits_goes_on(
    execute: Execute, working: Geomill, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    answer = execute("wait", {"inputs": {"flag": str(flag)}}, Prefer="wait=1")
    assert (answer.status_code, answer.json["status"]) == (201, "running")
    flag.touch()
    again = working.engine.run(answer.json["jobID"], 20)
    assert again.status.value == "successful" and again.durable


def test_the_same_idempotency_key_is_the_same_job(execute: Execute, working: Geomill, tmp_path: Path) -> None:
    """Also when it has ended: who does not wait is not given its results."""
    headers = {"Prefer": "respond-async", "Idempotency-Key": str(tmp_path)}
    one, two = (execute("add", ADD, **headers) for _ in range(2))
    assert working.engine.run(one.json["jobID"], 20).status.final
    three = execute("add", ADD, **headers)
    assert {answer.status_code for answer in (one, two, three)} == {201}
    assert one.headers["Location"] == two.headers["Location"] == three.headers["Location"]
    other = execute("add", {"inputs": {"a": 2}}, **headers)
    assert (other.status_code, other.json["type"]) == (422, "http://localhost/problems/idempotency-conflict")


def test_with_every_seat_taken_a_request_gets_a_job_instead(execute: Execute, working: Geomill, tmp_path: Path) -> None:
    (tmp_path / "flag").touch()
    with ExitStack() as taken:
        for number in range(working.settings.threads // 2):  # one has half of them, if another test has just asked
            assert taken.enter_context(working.seats.one(("default", f"caller {number}")))
        become = execute("add", ADD)
        refused = execute("waited", {"inputs": {"flag": str(tmp_path / "flag")}})
    assert become.status_code == 201
    assert (refused.status_code, refused.json["type"]) == (503, "http://localhost/problems/busy")
    assert int(refused.headers["Retry-After"]) > 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(settings: Settings, chunked: bool) -> None:
    client = create_app(replace(settings, max_body=100)).test_client()
    body = b'{"inputs": {"echoInput": "x"}}' + b" " * 100
    sent: dict[str, Any] = {"data": body}
    if chunked:
        sent = {"input_stream": BytesIO(body), "environ_overrides": {"wsgi.input_terminated": True}}
    answer = client.post("/processes/echo/execution", **sent)
    assert (answer.status_code, answer.json["type"]) == (413, "http://localhost/problems/content-too-large")


@pytest.mark.parametrize(
    "changed, status, kind",
    [
        ({"max_queued": 1}, 503, "busy"),
        ({"max_queued_per_caller": 1}, 429, "too-many-jobs"),
        ({"min_free_bytes": 2**62}, 507, "store-full"),
    ],
)
def test_a_full_house_says_so(settings: Settings, changed: dict[str, int], status: int, kind: str) -> None:
    client = create_app(replace(settings, **changed)).test_client()  # type: ignore[arg-type]
    body = {"inputs": {"echoInput": "x"}}
    prefer = {"Prefer": "respond-async"}
    answers = [client.post("/processes/echo/execution", json=body, headers=prefer) for _ in range(2)]
    assert (answers[1].status_code, answers[1].json["type"]) == (status, f"http://localhost/problems/{kind}")
    assert ("Retry-After" in answers[1].headers) == (status != 507)
