"""Methods, slashes and prefixes: what holds for every path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from geomill.app.server import Geomill

Finished = Callable[[str, Any], str]

ADD: dict[str, Any] = {"inputs": {"a": 1, "b": 2}}
LISTS = ("/", "/conformance", "/api", "/processes", "/processes/add", "/jobs", "/problems/bad-input")
OF_JOBS = ("", "/results", "/results/result", "/results/result/0", "/logs", "/events")


@pytest.mark.parametrize("path", [*LISTS, *(f"{{job}}{path}" for path in OF_JOBS)])
def test_head_is_wherever_get_is(worker: FlaskClient, finished: Finished, path: str) -> None:
    path = path.format(job=finished("page", {"inputs": {"text": "x"}})) if "{" in path else path
    get, head = worker.get(path), worker.head(path)
    while get.headers.get("ETag") != (now := worker.get(path)).headers.get("ETag"):  # processes appear in their time
        get, head = now, worker.head(path)
    assert (get.status_code, head.status_code, head.data) == (200, 200, b"")
    varying = {"Date", "X-Request-ID"}
    assert {name: value for name, value in head.headers if name not in varying} == {
        name: value for name, value in get.headers if name not in varying
    }


@pytest.mark.parametrize(
    "path, methods",
    [
        *((path, {"GET", "HEAD", "OPTIONS"}) for path in LISTS if not path.startswith("/processes")),
        ("/processes", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/processes/add", {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}),
        ("/processes/add/package", {"GET", "HEAD", "OPTIONS"}),
        ("/processes/add/versions", {"GET", "HEAD", "OPTIONS"}),
        ("/processes/add/execution", {"POST", "OPTIONS"}),
        ("/jobs/x", {"GET", "HEAD", "OPTIONS", "DELETE"}),
        ("/jobs/x/results", {"GET", "HEAD", "OPTIONS"}),
        ("/jobs/x/results/y", {"GET", "HEAD", "OPTIONS"}),
        ("/jobs/x/results/y/0", {"GET", "HEAD", "OPTIONS"}),
        ("/jobs/x/files/y/z", {"GET", "HEAD", "OPTIONS"}),
        ("/jobs/x/logs", {"GET", "HEAD", "OPTIONS"}),
        ("/jobs/x/logs/y.log", {"GET", "HEAD", "OPTIONS"}),
        ("/jobs/x/events", {"GET", "HEAD", "OPTIONS"}),
        ("/jobs/x/retry", {"POST", "OPTIONS"}),
    ],
)
def test_options_and_a_wrong_method_name_the_same_methods(client: FlaskClient, path: str, methods: set[str]) -> None:
    options, wrong = client.options(path), client.patch(path)
    assert (options.status_code, wrong.status_code) == (200, 405)
    for answer in (options, wrong):
        assert set(answer.headers["Allow"].split(", ")) == methods


@pytest.mark.parametrize("slash", ["/", "//"])
def test_a_slash_at_the_end_changes_nothing(worker: FlaskClient, finished: Finished, slash: str) -> None:
    job = finished("add", ADD)
    for path in (*LISTS, *(job.removeprefix("http://localhost") + path for path in OF_JOBS)):
        assert worker.get(path + slash).data == worker.get(path).data
    assert worker.post(f"/processes/add/execution{slash}", json=ADD).json == 3
    assert worker.delete(job + slash).status_code == 200


def test_a_job_made_below_the_prefix_is_named_there_and_is_the_same_without(
    worker: FlaskClient, working: Geomill
) -> None:
    accepted = worker.post("/ogc-api/processes/add/execution", json=ADD, headers={"Prefer": "respond-async"})
    location = accepted.headers["Location"]
    assert location == f"http://localhost/ogc-api/jobs/{accepted.json['jobID']}"
    assert working.engine.run(accepted.json["jobID"], 20).status.final
    shown, plain = worker.get(location).json, worker.get(location.replace("/ogc-api", "")).json
    assert all("/ogc-api/" in link["href"] for link in shown.pop("links"))
    assert not any("/ogc-api/" in link["href"] for link in plain.pop("links"))
    assert shown == plain


@pytest.mark.parametrize("prefix", ["", "/ogc-api"])
def test_a_problem_below_a_prefix_has_its_page_there(client: FlaskClient, prefix: str) -> None:
    kind = client.get(f"{prefix}/nowhere").json["type"]
    assert kind == f"http://localhost{prefix}/problems/not-found"
    assert client.get(kind).status_code == 200


@pytest.mark.parametrize("path", ["/ogc-apis", "/ogc-api-x/jobs", "/processes/ogc-api/jobs", "/ogc-api/ogc-api"])
def test_nothing_but_the_prefix_itself_is_one(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("match", ["*", '"x"', "junk"])
@pytest.mark.parametrize("path", LISTS)
def test_if_match_is_of_no_matter_to_a_reader(client: FlaskClient, path: str, match: str) -> None:
    path = path.replace("add", "echo")
    answer = client.get(path, headers={"If-Match": match})
    assert (answer.status_code, answer.data) == (200, client.get(path).data)


def test_a_results_document_is_not_sent_again(worker: FlaskClient, finished: Finished) -> None:
    for path in ("/results", "/results/result"):
        address = finished("add", ADD) + path
        etag = worker.get(address).headers["ETag"]
        again = worker.get(address, headers={"If-None-Match": etag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)


def test_a_job_that_finished_since_its_status_was_read_is_not_removed(worker: FlaskClient, working: Geomill) -> None:
    accepted = worker.post("/processes/add/execution", json=ADD, headers={"Prefer": "respond-async"})
    job = accepted.headers["Location"]
    assert working.engine.run(accepted.json["jobID"], 20).status.final
    stale = worker.delete(job, headers={"If-Match": accepted.headers["ETag"]})
    assert (stale.status_code, worker.get(job).json["status"]) == (412, "successful")
    either = f"{accepted.headers['ETag']}, {worker.get(job).headers['ETag']}"
    assert worker.delete(job, headers={"If-Match": either}).status_code == 200
