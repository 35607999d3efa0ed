"""People who look at the pages of jobs that run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.answers import FLAT, wait
from benchmarks.client import Client
from benchmarks.figures import Figure, compared
from benchmarks.measuring import cpu_seconds, interleaved, p50
from benchmarks.mill import Mill, serving
from benchmarks.scale import Scale

PAGES = 20
EVERY = 2.0  # seconds between two questions of a page, as the server has it
STREAM = {"Accept": "text/event-stream"}


def live(scale: Scale) -> Iterator[Figure]:
    """Twenty pages of a running job are open, and follow it."""
    with serving() as mill:
        mill.warm_up()
        client = mill.client()
        job_id = client.execute("pause-base", {"seconds": 3600})
        mill.wait(job_id, "running")
        rest = share(mill, scale.window)
        status = partial(wait, mill, f"/jobs/{job_id}", scale.batch)
        with looking(mill, job_id):
            looked = [share(mill, scale.window) for _ in range(3)]

        def beside() -> float:
            with looking(mill, job_id):
                return status()

        ours, theirs = interleaved(scale.rounds, beside, status)
    most = f"without them {rest:.2g} %"
    yield Figure(f"{PAGES} live pages", max(0.0, p50(looked) - rest), "% of a processor", most=1, note=most)
    yield compared("GET status meanwhile, p50", "ms", ours, ("ms, nobody looks", theirs), most=FLAT)


def share(mill: Mill, window: float) -> float:
    """Per cent of a processor that the workers take."""
    workers = mill.workers()
    before = cpu_seconds(*workers)
    time.sleep(window)
    return 100 * (cpu_seconds(*workers) - before) / window


@contextmanager
def looking(mill: Mill, job_id: str) -> Iterator[None]:
    """Pages are open meanwhile; each has asked once when this begins."""
    over = threading.Event()
    threads = [threading.Thread(target=_look, args=(mill.client(), job_id, over)) for _ in range(PAGES)]
    for number, thread in enumerate(threads):
        thread.start()
        time.sleep(EVERY / PAGES / 4 * (number > 0))
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _look(client: Client, job_id: str, over: threading.Event) -> None:
    """One page: what is new since it was told, again and again."""
    headers = dict(STREAM)
    while True:
        told = client.expect(200, "GET", f"/jobs/{job_id}/events", None, headers).body.decode()
        for line in told.splitlines():
            if line.startswith("id: "):
                headers["Last-Event-ID"] = line.removeprefix("id: ")
        if over.wait(EVERY):
            return
