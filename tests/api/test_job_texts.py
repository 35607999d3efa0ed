"""The documents of a list are those of its jobs, however they are made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.stores import bring_to, create, succeed

from geomill.app.schemas import StatusInfoSchema
from geomill.app.server import Geomill
from geomill.jobstore import Status
from geomill.jobstore.retention import AGE

MESSAGE = '"href":"http://localhost/jobs", \0 {job_id} ü \\'  # nothing of it is taken for ours


@pytest.fixture
def jobs(app: Geomill) -> list[str]:
    """One of each kind, and all of them again that is told of some alone."""
    store = app.tenants.default.jobs
    ids = [create(store, age=age, owner=owner, durable=False) for age, owner in enumerate(["", "ann", "", "ann", ""])]
    for job_id, status in zip(ids, Status, strict=True):
        bring_to(store, job_id, status)
    ids += [create(store, age=age, durable=False, retry_of=ids[0]) for age in (10, 11)]
    succeed(store, ids[-1])
    store.pin(ids[-1], True)
    gone = create(store, age=20, durable=False)
    succeed(store, gone)
    store.expire(gone, AGE)
    said = create(store, age=30, durable=False, process_id="échø")
    bring_to(store, said, Status.RUNNING)
    store.move(said, Status.FAILED, message=MESSAGE, cause="exception")
    return [*ids, gone, said]


def links_of(document: dict[str, Any]) -> list[str]:
    return [link["href"] for link in document["links"]]


@pytest.mark.parametrize("root", ["http://localhost", "http://127.0.0.1:8080", "http://localhost/ogc-api"])
def test_a_list_has_the_documents_of_its_jobs(client: FlaskClient, jobs: list[str], root: str) -> None:
    for _ in range(2):  # made, and kept
        listed = {each["id"]: each for each in client.get(f"{root}/jobs").json["jobs"]}  # type: ignore[index]
        assert set(listed) == set(jobs)
        for job_id in jobs:
            assert listed[job_id] == client.get(f"{root}/jobs/{job_id}").json
            assert links_of(listed[job_id])[0] == f"{root}/jobs/{job_id}"


def test_what_is_kept_is_written_anew_when_it_changes(app: Geomill, client: FlaskClient, jobs: list[str]) -> None:
    store = app.tenants.default.jobs
    assert not any("pinned" in each for each in client.get("/jobs?status=dismissed").json["jobs"])  # type: ignore[index]
    store.pin(jobs[4], True)
    (job,) = client.get("/jobs?status=dismissed").json["jobs"]  # type: ignore[index]
    assert (job["id"], job["pinned"]) == (jobs[4], True)


def test_a_document_is_written_once_whoever_asks(
    client: FlaskClient, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    dump = StatusInfoSchema.dump

    def counted(self: StatusInfoSchema, status: Any, **more: Any) -> Any:
        written.append(status.job_id)
        return dump(self, status, **more)

    monkeypatch.setattr(StatusInfoSchema, "dump", counted)
    first = client.get("/jobs").text
    assert sorted(written) == sorted(jobs)
    assert [client.get("/jobs").text for _ in range(3)] == [first] * 3
    client.get("http://127.0.0.1/ogc-api/jobs?limit=5")
    assert len(written) == len(jobs)
    assert "\0" not in first and MESSAGE in {each.get("message") for each in json.loads(first)["jobs"]}
