"""Asking for jobs when there are many."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from benchmarks.figures import Figure, cpu, interleaved, latency, milliseconds, p50
from benchmarks.mill import serving
from examples.backstage import expect
from geomill.jobstore import Job, JobStore, Status
from geomill.jobstore.records import new_job_id

COUNT = 10_000
ROUNDS = 50
APART = 60.0  # seconds between two jobs


def listing() -> Iterator[Figure]:
    """One job, the newest hundred, and page 50, of ten thousand jobs in a week."""
    with serving(fill) as mill:
        client = mill.client()
        newest = client.expect(200, "GET", "/jobs?limit=100").json()["jobs"]
        expect(len(newest) == 100, f"{len(newest)} jobs are listed")
        path, page = "/jobs?limit=100", 1
        while page < 50:
            links = client.expect(200, "GET", path).json()["links"]
            url = next(link["href"] for link in links if link["rel"] == "next")
            path, page = "/" + url.removeprefix(mill.url), page + 1
        before = mill.cpu()
        works = [
            lambda: milliseconds(lambda: client.expect(200, "GET", f"/jobs/{newest[0]['jobID']}")),
            lambda: milliseconds(lambda: client.expect(200, "GET", "/jobs?limit=100")),
            lambda: milliseconds(lambda: client.expect(200, "GET", path)),
            lambda: milliseconds(lambda: client.expect(200, "GET", "/jobs?limit=100&status=failed")),
            lambda: milliseconds(lambda: client.expect(200, "GET", "/jobs?limit=1")),
        ]
        one, first, fiftieth, failed, single = interleaved(ROUNDS, *works)
        after = mill.cpu()
    yield from latency("GET /jobs/{id}", one, most=5)
    yield from latency("GET /jobs?limit=1", single)
    yield from latency("GET /jobs?limit=100", first, most=25)
    yield from latency("page 50 by cursor", fiftieth, most=25)
    yield Figure("page 50 / page 1", p50(a / b for a, b in zip(fiftieth, first, strict=True)), "x", most=1.5)
    yield from latency("GET /jobs?limit=100&status=failed", failed)
    yield from cpu("these five", before, after, ROUNDS + 1)


def fill(store: JobStore) -> None:
    """Jobs that ended, a minute apart; every tenth failed."""
    begun = time.time() - COUNT * APART
    for number in range(COUNT):
        moment = int((begun + number * APART) * 1000)
        stamp = f"{moment:012x}"
        job_id = f"{stamp[:8]}-{stamp[8:]}{new_job_id()[13:]}"
        job = Job(job_id, "echo", "1.0.0", "", datetime.fromtimestamp(moment / 1000, UTC), "", "", "", "")
        store.create(replace(job), b"{}", durable=False)
        store.move(job_id, Status.RUNNING)
        store.move(job_id, Status.SUCCESSFUL if number % 10 else Status.FAILED)
