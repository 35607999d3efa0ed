"""The lists: processes and jobs, their parameters and pages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from geomill.app.errors import InvalidQuery
from geomill.app.schemas import JobsQuery, ProcessesQuery
from geomill.app.schemas.queries import read
from geomill.app.server import Geomill
from geomill.jobstore import Job, Status
from geomill.jobstore.records import new_job_id

DAY = datetime(2026, 1, 31, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_process_is_listed_with_its_links_and_not_with_its_inputs(client: FlaskClient) -> None:
    listed = client.get("/processes").json
    assert listed["numberTotal"] == len(listed["processes"]) > 0
    for summary in listed["processes"]:
        assert summary["version"] and isinstance(summary["mutable"], bool) and "inputs" not in summary
        (self_,) = (link["href"] for link in summary["links"] if link["rel"] == "self")
        assert client.get(self_).json["id"] == summary["id"]


def test_the_pages_of_the_process_list_hold_each_process_once(client: FlaskClient) -> None:
    everything = [process["id"] for process in client.get("/processes").json["processes"]]
    found, href = [], "/processes?limit=1"
    while href:
        page = client.get(href).json
        assert len(page["processes"]) == 1 and page["numberTotal"] == len(everything)
        found += [process["id"] for process in page["processes"]]
        href = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert found == everything


def test_inputs_keep_the_order_of_their_description(client: FlaskClient, app: Geomill) -> None:
    for process in app.processes.list():
        described = client.get(f"/processes/{process.id}").json
        assert list(described["inputs"]) == list(process.description["inputs"])


@pytest.mark.parametrize(
    "query, member, value",
    [
        ("", "limit", 100),
        ("limit=7", "limit", 7),
        ("limit=10000", "limit", 10000),
        ("limit=999999", "limit", 10000),
        ("status=running", "status", [Status.RUNNING]),
        ("status=running&status=failed", "status", [Status.RUNNING, Status.FAILED]),
        ("status=running,failed", "status", [Status.RUNNING, Status.FAILED]),
        ("processID=a,b&processID=c", "process_id", ["a", "b", "c"]),
        ("type=process", "type", ["process"]),
        ("minDuration=1.5", "min_duration", 1.5),
        ("maxDuration=0", "max_duration", 0),
        ("unknown=1", "limit", 100),
        ("datetime=2026-01-31T00:00:00Z", "datetime", (DAY, DAY + SECOND - timedelta(microseconds=1))),
        ("datetime=2026-01-31T01:00:00.000%2B01:00", "datetime", (DAY, DAY)),
        ("datetime=2026-01-31T01:00:00.000+01:00", "datetime", (DAY, DAY)),
        ("datetime=2026-01-31T00:00:00.0Z/..", "datetime", (DAY, None)),
        ("datetime=/2026-01-31T00:00:00.0Z", "datetime", (None, DAY)),
        ("datetime=../..", "datetime", (None, None)),
    ],
)
def test_a_parameter_means_this(app: Geomill, query: str, member: str, value: Any) -> None:
    with app.test_request_context(f"/jobs?{query}"):
        assert read(JobsQuery)[member] == value


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=ten",
        "limit=",
        "limit=1.5",
        "status=lost",
        "status=running,lost",
        "minDuration=-1",
        "minDuration=9&maxDuration=1",
        "minDuration=nan",
        "maxDuration=inf",
        "datetime=yesterday",
        "datetime=2026-01-31",
        "datetime=2026-01-31T00:00:00",
        "datetime=0001-01-01T00:00:00%2B14:00",
        "datetime=9999-12-31T23:59:59-14:00",
        "datetime=2026-02-01T00:00:00Z/2026-01-01T00:00:00Z",
        "datetime=2026-01-01T00:00:00Z/2026-01-02T00:00:00Z/..",
        "cursor=none",
    ],
)
def test_a_bad_value_is_refused_by_name(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/jobs?{query}")
    assert answer.status_code == 400
    assert answer.json["type"].endswith("/invalid-query-parameter-value")
    assert answer.json["detail"].startswith(query.partition("=")[0] + ": ")


@pytest.mark.parametrize("query", ["limit=0", "offset=-1", "offset=x"])
def test_the_process_list_refuses_bad_values_too(app: Geomill, query: str) -> None:
    with app.test_request_context(f"/processes?{query}"), pytest.raises(InvalidQuery):
        read(ProcessesQuery)


def make_jobs(app: Geomill, count: int) -> list[str]:
    """Accepted jobs, oldest first, that nothing starts."""
    ids = []
    for number in range(count):
        process = "odd" if number % 2 else "even"
        job = Job(new_job_id(), process, "1.0.0", "", DAY + number * SECOND, "", "", "", "")
        ids.append(app.jobs.create(job, b"{}", durable=False).job_id)
    return ids


def test_jobs_are_listed_newest_first_page_by_page(app: Geomill, client: FlaskClient) -> None:
    ids = make_jobs(app, 5)
    found, href = [], "/jobs?limit=2&processID=odd,even&status=accepted"
    while href:
        page = client.get(href).json
        found += [job["jobID"] for job in page["jobs"]]
        href = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert found == ids[::-1]


@pytest.mark.parametrize(
    "query, numbers",
    [
        ("processID=odd", [3, 1]),
        ("processID=odd&processID=none", [3, 1]),
        ("status=running,failed", []),
        ("datetime=2026-01-31T00:00:01Z", [1]),
        ("datetime=2026-01-31T00:00:01Z/2026-01-31T00:00:02Z", [2, 1]),
        ("type=process", [3, 2, 1, 0]),
        ("type=other", []),
        ("minDuration=0", []),
    ],
)
def test_jobs_are_found_by(app: Geomill, client: FlaskClient, query: str, numbers: list[int]) -> None:
    ids = make_jobs(app, 4)
    assert [job["jobID"] for job in client.get(f"/jobs?{query}").json["jobs"]] == [ids[number] for number in numbers]


def test_a_page_of_jobs_stays_right_while_jobs_arrive(app: Geomill, client: FlaskClient) -> None:
    ids = make_jobs(app, 5)
    found, href = [], "/jobs?limit=2"
    while href:
        page = client.get(href).json
        found += [job["jobID"] for job in page["jobs"]]
        href = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        app.jobs.create(Job(new_job_id(), "new", "1.0.0", "", DAY + 60 * SECOND, "", "", "", ""), b"{}", durable=False)
    assert found == ids[::-1]


def test_a_page_of_jobs_stays_right_while_jobs_are_removed(app: Geomill, client: FlaskClient) -> None:
    ids = make_jobs(app, 5)
    first = client.get("/jobs?limit=2").json
    for job in first["jobs"]:
        assert client.delete(f"/jobs/{job['jobID']}").status_code == client.delete(f"/jobs/{job['jobID']}").status_code
    (following,) = (link["href"] for link in first["links"] if link["rel"] == "next")
    assert [job["jobID"] for job in client.get(following).json["jobs"]] == [ids[2], ids[1]]


@pytest.mark.parametrize(
    "query, found",
    [
        ("status=successful", ["add"]),
        ("status=failed", ["fail"]),
        ("status=successful,failed", ["fail", "add"]),
        ("status=dismissed,running,accepted", []),
        ("minDuration=0", ["fail", "add"]),
        ("minDuration=0&status=failed", ["fail"]),
        ("maxDuration=60", ["fail", "add"]),
        ("minDuration=60", []),
        ("processID=add&status=failed", []),
    ],
)
def test_jobs_that_have_ended_are_found_by(
    worker: FlaskClient, finished: Callable[[str, Any], str], query: str, found: list[str]
) -> None:
    since = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    finished("add", {"inputs": {"a": 1}})
    finished("fail", {"inputs": {"how": "error"}})
    jobs = worker.get(f"/jobs?datetime={since}/..&{query}").json["jobs"]
    assert [job["processID"] for job in jobs] == found
