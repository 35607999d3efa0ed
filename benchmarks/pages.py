"""Looking at pages when there are many jobs."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure, interleaved, latency
from benchmarks.listing import ROUNDS, fill
from benchmarks.mill import Client, cpu_seconds, serving
from examples.backstage import expect

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
MOST = 5.0  # ms


def pages() -> Iterator[Figure]:
    """Pages for people, of ten thousand jobs."""
    with serving(fill) as mill:
        client = mill.client()
        job_id = client.execute("echo", {"echoInput": "hello"})
        mill.wait(job_id)
        paths = {
            "/": "/",
            "/processes": "/processes",
            "/processes/water-mask": "/processes/water-mask",
            "/jobs": "/jobs",
            "/jobs?status=failed": "/jobs?status=failed",
            "/jobs/{id}": f"/jobs/{job_id}",
            "/jobs/{id}/results": f"/jobs/{job_id}/results",
        }
        workers = mill.family()["worker"]
        measured = interleaved(ROUNDS, *(lambda path=path: show(client, workers, path) for path in paths.values()))
    for name, times in zip(paths, measured, strict=True):
        yield from latency(f"page {name}, server CPU", times, most=MOST)


def show(client: Client, workers: list[int], path: str) -> float:
    """Milliseconds of processor time that the workers take for a page: what a busy machine hardly changes."""
    before = sum(map(cpu_seconds, workers))
    reply = client.expect(200, "GET", path, None, BROWSER)
    expect(reply.headers.get_content_type() == "text/html", f"{path} is no page")
    return 1000 * (sum(map(cpu_seconds, workers)) - before)
