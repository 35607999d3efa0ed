"""Looking at pages when there are many jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from benchmarks import stock
from benchmarks.client import Client
from benchmarks.figures import Figure, latency
from benchmarks.measuring import cpu_seconds, interleaved
from benchmarks.mill import serving
from benchmarks.scale import Scale
from examples.backstage import expect
from geomill.jobstore import Filters, JobStore
from geomill.jobstore.records import now, timestamp

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
MOST, MOST_OF_STEPS = 5.0, 10.0  # ms
STEPS = 500


def pages(scale: Scale) -> Iterator[Figure]:
    """Pages for people, where there are many jobs."""
    with serving(stock.home(scale.stored, scale.rows)) as mill:
        client = mill.client()
        job_id = client.execute("echo", {"echoInput": "hello"})
        mill.wait(job_id)
        paths = {
            "/": "/",
            "/processes": "/processes",
            "/processes/water-mask": "/processes/water-mask",
            "/jobs": "/jobs",
            "/jobs?limit=100": "/jobs?limit=100",
            "/jobs?status=failed": "/jobs?status=failed",
            "/jobs/{id}": f"/jobs/{job_id}",
            "/jobs/{id}/results": f"/jobs/{job_id}/results",
            f"/jobs/{{id}}, {STEPS} steps": f"/jobs/{scatter(mill.store)}",
        }
        workers = mill.workers()
        works = (partial(show, client, workers, path) for path in paths.values())
        measured = interleaved(scale.single // 2, *works)
    for name, times in zip(paths, measured, strict=True):
        yield from latency(f"page {name}, server CPU", times, most=MOST_OF_STEPS if "steps" in name else MOST)


def scatter(store: JobStore) -> str:
    """The id of a job that has ended, with steps as a workflow leaves them that ran one tool on many inputs."""
    job_id = store.list(Filters(), 2).jobs[1].job_id
    folder, begun = store.folder(job_id), now()
    (folder / "logs").mkdir()
    with open(folder / "events.jsonl", "w") as events:
        for number in range(STEPS):
            moment, step = begun + timedelta(seconds=number / 8), f"crop_{number + 1}"
            started = {"event": "started", "step": step, "time": timestamp(moment), "tool": "crop"}
            told = {"outcome": "success", "exit_code": 0, "seconds": 1.5, "peak_memory": 96_000_000}
            ended = {"event": "ended", "step": step, "time": timestamp(moment + timedelta(seconds=1.5)), **told}
            events.write(f"{json.dumps(started)}\n{json.dumps(ended)}\n")
            (folder / "logs" / f"{step}.log").write_text("cropped\n")
    return job_id


def show(client: Client, workers: list[int], path: str) -> float:
    """Milliseconds of processor time that the workers take for a page: what a busy machine hardly changes."""
    before = cpu_seconds(*workers)
    reply = client.expect(200, "GET", path, None, BROWSER)
    expect(reply.headers.get_content_type() == "text/html", f"{path} is no page")
    return 1000 * (cpu_seconds(*workers) - before)
