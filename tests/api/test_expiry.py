"""A job that expires: what its status says before and after, and who may keep it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.stores import create, succeed

from geomill.app.server import Geomill
from geomill.jobstore.status import AGE, DISK


@pytest.fixture
def job_id(app: Geomill) -> str:
    job_id = create(app.jobs)
    succeed(app.jobs, job_id)
    return job_id


@pytest.fixture
def client(app: Geomill) -> FlaskClient:
    return app.test_client()


def status(client: FlaskClient, job_id: str) -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"/jobs/{job_id}").json
    return document


def test_the_status_says_when_a_job_expires(app: Geomill, client: FlaskClient, job_id: str) -> None:
    told = status(client, job_id)
    kept = datetime.fromisoformat(told["expires"]) - datetime.fromisoformat(told["finished"])
    assert kept == timedelta(days=30) == timedelta(seconds=app.settings.keep)


def test_a_job_that_has_not_ended_does_not_say_when(app: Geomill, client: FlaskClient) -> None:
    assert "expires" not in status(client, create(app.jobs))


def test_a_pinned_job_never_expires_until_it_is_unpinned(client: FlaskClient, job_id: str) -> None:
    for _ in range(2):
        answer = client.put(f"/jobs/{job_id}/pin")
        assert answer.json["pinned"] is True and "expires" not in answer.json
        assert answer.headers["ETag"] == client.get(f"/jobs/{job_id}").headers["ETag"]
    for _ in range(2):
        answer = client.delete(f"/jobs/{job_id}/pin")
        assert "pinned" not in answer.json and answer.json["expires"]


def test_the_status_of_an_expired_job_stays(app: Geomill, client: FlaskClient, job_id: str) -> None:
    before = status(client, job_id)
    app.jobs.expire(job_id, AGE)
    after = status(client, job_id)
    assert after["status"] == "successful" and after["expired"] and "expires" not in after
    assert {link["rel"] for link in after["links"]} == {"self", "monitor", "up"}
    assert after["finished"] == before["finished"]
    assert client.get("/jobs").json["jobs"] == [after]


@pytest.mark.parametrize("why, words", [(AGE, "longer ago than jobs are kept"), (DISK, "the disk was nearly full")])
def test_what_is_gone_says_when_and_why(
    app: Geomill, client: FlaskClient, job_id: str, why: str, words: str
) -> None:
    expired = app.jobs.expire(job_id, why).expired
    answer = client.get(f"/jobs/{job_id}/results")
    assert answer.status_code == 410 and answer.json["type"].endswith("/problems/job-expired")
    assert words in answer.json["detail"] and expired and expired.strftime("%Y-%m-%d") in answer.json["detail"]


def test_an_expired_job_can_be_removed(app: Geomill, client: FlaskClient, job_id: str) -> None:
    app.jobs.expire(job_id, AGE)
    assert client.delete(f"/jobs/{job_id}").status_code == 200
    assert client.get(f"/jobs/{job_id}/results").status_code == 404


def test_a_pin_changes_the_etag_that_protects_a_job(client: FlaskClient, job_id: str) -> None:
    etag = client.get(f"/jobs/{job_id}").headers["ETag"]
    client.put(f"/jobs/{job_id}/pin")
    assert client.delete(f"/jobs/{job_id}", headers={"If-Match": etag}).status_code == 412
