"""Whose a job is: shown to whoever may see the job, and a way to find it."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from identity.conftest import Make, Start, bearer, job_of

from geomill.app.identity.roles import Role


@pytest.fixture
def jobs(start: Start, make: Make) -> dict[str, str]:
    """A job of each owner; there are tokens."""
    client = start().test_client()
    make("root", Role.ADMIN)
    return {owner: job_of(client, owner) for owner in ("ann", "ben", "")}


def listed(client: FlaskClient, token: str, query: str = "") -> list[Any]:
    """The owners in the list that somebody is given."""
    answer = client.get(f"/jobs{query}", headers=bearer(token) if token else {})
    assert answer.status_code == 200
    return sorted(job.get("owner", "") for job in answer.json["jobs"])


def test_a_status_says_whose_the_job_is(jobs: dict[str, str], start: Start, make: Make) -> None:
    client, ann = start().test_client(), make("ann")
    assert client.get(f"/jobs/{jobs['ann']}", headers=bearer(ann)).json["owner"] == "ann"
    assert "owner" not in client.get(f"/jobs/{jobs['']}").json


@pytest.mark.parametrize(
    "visibility, role, query, found",
    [
        ("own", Role.ADMIN, "", ["", "ann", "ben"]),
        ("own", Role.ADMIN, "?owner=ben", ["ben"]),
        ("own", Role.ADMIN, "?owner=", [""]),
        ("own", Role.ADMIN, "?owner=nobody", []),
        ("own", Role.READER, "?owner=ann", ["ann"]),
        ("own", Role.READER, "?owner=ben", []),
        ("own", Role.READER, "?owner=", []),
        ("all", Role.READER, "?owner=ben", ["ben"]),
        ("all", Role.READER, "?owner=ben&status=successful", []),
    ],
)
def test_jobs_are_found_by_their_owner_among_those_that_one_sees(
    jobs: dict[str, str], start: Start, make: Make, visibility: str, role: Role, query: str, found: list[str]
) -> None:
    client = start(jobs_visibility=visibility).test_client()
    assert listed(client, make("ann", role), query) == found


@pytest.mark.parametrize("query", ["", "?owner=", "?owner=ann"])
def test_who_is_nobody_is_given_no_list_by_any_owner(jobs: dict[str, str], start: Start, query: str) -> None:
    assert listed(start().test_client(), "", query) == []
