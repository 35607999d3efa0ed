"""One job: its status, its log, its end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from geomill.app.server import Geomill
from geomill.jobstore import Status

Execute = Callable[..., TestResponse]
Finished = Callable[[str, Any], str]

ADD: dict[str, Any] = {"inputs": {"a": 1, "b": 2}}
OGC = "http://www.opengis.net/def/rel/ogc/1.0/"
PROVENANCE = (OGC + "inputs", "http://www.w3.org/ns/prov#has_provenance", "alternate")


@pytest.fixture
def running(execute: Execute, tmp_path: Path) -> str:
    """The address of a job that runs until it is dismissed."""
    body = {"inputs": {"flag": str(tmp_path / "none")}}
    return str(execute("wait", body, Prefer="wait=1").headers["Location"])


def test_a_status_has_the_members_of_both_versions(worker: FlaskClient, finished: Finished) -> None:
    status = worker.get(finished("add", ADD)).json
    assert status["jobID"] == status["id"]
    assert (status["type"], status["processingEntityType"]) == ("process", "ogc-api-processes")
    assert (status["processID"], status["status"], status["progress"]) == ("add", "successful", 100)
    times = [status[name] for name in ("created", "started", "finished", "updated")]
    assert times == sorted(times) and all(time.endswith("Z") for time in times)
    assert None not in status.values()


@pytest.mark.parametrize(
    "process, body, rels",
    [
        ("add", ADD, {"self", "monitor", OGC + "results", OGC + "log", *PROVENANCE, "up"}),
        ("fail", {"inputs": {"how": "error"}}, {"self", "monitor", OGC + "exceptions", OGC + "log", *PROVENANCE, "up"}),
    ],
)
def test_a_job_links_to_what_there_is(
    worker: FlaskClient, finished: Finished, process: str, body: object, rels: set[str]
) -> None:
    links = worker.get(finished(process, body)).json["links"]
    assert {link["rel"] for link in links} == rels
    assert all(link["type"] and link["title"] for link in links)


def test_a_running_job_links_to_its_monitor_and_not_to_results(worker: FlaskClient, running: str) -> None:
    rels = {link["rel"] for link in worker.get(running).json["links"]}
    assert rels == {"self", "monitor", OGC + "log", *PROVENANCE[:2], "up"}
    answer = worker.get(f"{running}/results")
    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (404, "result-not-ready")
    assert worker.delete(running).status_code == 200


def test_the_etag_of_a_status_changes_with_it(worker: FlaskClient, running: str) -> None:
    etag = worker.get(running).headers["ETag"]
    assert worker.get(running, headers={"If-None-Match": etag}).status_code == 304
    assert worker.delete(running).json["status"] == "dismissed"
    assert worker.get(running, headers={"If-None-Match": etag}).status_code == 200


def test_a_running_job_is_dismissed_and_then_removed(worker: FlaskClient, running: str) -> None:
    first = worker.delete(running)
    assert (first.status_code, first.json["status"]) == (200, "dismissed")
    assert worker.get(running).json["status"] == "dismissed"
    assert worker.get(f"{running}/results").json["type"].endswith("/result-not-available")
    second = worker.delete(running)
    assert (second.status_code, second.json["status"]) == (200, "dismissed")
    assert [link["rel"] for link in second.json["links"]] == ["up"]
    assert worker.get(running).status_code == worker.delete(running).status_code == 404


def test_a_finished_job_is_removed(worker: FlaskClient, finished: Finished) -> None:
    job = finished("add", ADD)
    assert worker.delete(job).json["status"] == "dismissed"
    for path in (job, f"{job}/results", f"{job}/logs"):
        assert worker.get(path).json["type"].endswith("/no-such-job")


def test_a_waiting_job_is_dismissed_before_it_begins(client: FlaskClient, app: Geomill) -> None:
    body, prefer = {"inputs": {"echoInput": "x"}}, {"Prefer": "respond-async"}
    accepted = client.post("/processes/echo/execution", json=body, headers=prefer)
    answer = client.delete(accepted.headers["Location"])
    assert (answer.status_code, answer.json["status"]) == (200, "dismissed")
    assert app.jobs.status(accepted.json["jobID"]).status is Status.DISMISSED


def test_if_match_protects_a_job_that_has_finished(worker: FlaskClient, finished: Finished) -> None:
    job = finished("add", ADD)
    answer = worker.delete(job, headers={"If-Match": '"of-another-time"'})
    assert (answer.status_code, answer.json["type"]) == (412, "http://localhost/problems/precondition-failed")
    assert worker.get(job).json["status"] == "successful"


@pytest.mark.parametrize("match", [None, "*"])
def test_if_match_lets_through_what_it_names(worker: FlaskClient, finished: Finished, match: str | None) -> None:
    job = finished("add", ADD)
    etag = match or worker.get(job).headers["ETag"]
    assert worker.delete(job, headers={"If-Match": etag}).status_code == 200


def test_a_log_is_followed_by_its_offset(worker: FlaskClient, finished: Finished) -> None:
    log = finished("add", ADD) + "/logs"
    whole = worker.get(log)
    assert (whole.text, whole.headers["Next-Offset"]) == ("adding 1 and 2\n", "15")
    assert worker.get(f"{log}?offset=7").text == "1 and 2\n"
    for offset in (15, 99):
        rest = worker.get(f"{log}?offset={offset}")
        assert (rest.status_code, rest.text, rest.headers["Next-Offset"]) == (200, "", "15")
    assert worker.get(f"{log}?offset=-1").status_code == 400


def test_a_log_of_nothing_is_empty(worker: FlaskClient, finished: Finished) -> None:
    log = worker.get(finished("later", {}) + "/logs")
    assert (log.status_code, log.text) == (200, "")


def test_a_log_is_text_that_no_browser_runs(worker: FlaskClient, finished: Finished) -> None:
    log = worker.get(finished("add", ADD) + "/logs")
    assert log.content_type == "text/plain; charset=utf-8"
    assert "sandbox" in log.headers["Content-Security-Policy"]
    assert log.headers["X-Content-Type-Options"] == "nosniff"
