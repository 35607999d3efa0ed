"""People who look at the pages of jobs that run."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks import beside
from benchmarks.answers import FLAT, wait
from benchmarks.client import Client
from benchmarks.figures import Figure, compared
from benchmarks.measuring import cpu_seconds, interleaved, p50
from benchmarks.mill import serving
from benchmarks.scale import Scale

PAGES = 20
ASKED = 2.0  # seconds between two questions of the page of a job that has just said something
SILENT = 60.0  # seconds, after which the server has such a page ask less often
STREAM = {"Accept": "text/event-stream"}
HTML = {"Accept": "text/html"}
Look = Callable[[threading.Event], None]


def live(scale: Scale) -> Iterator[Figure]:
    """Twenty pages of a running job are open, and follow it, as their script does."""
    with serving() as mill, beside.bare_flask(mill, "/") as bare:
        mill.warm_up()
        client = mill.client()
        job_id = client.execute("pause-base", {"seconds": 3600})
        mill.wait(job_id, "running")
        begun = time.monotonic()
        rest = share(mill.workers(), scale.window)
        status = partial(wait, mill, f"/jobs/{job_id}", scale.batch)
        pages = [partial(_page, mill.client, job_id)] * PAGES

        def beside_pages() -> float:
            with looking(pages):
                return status()

        with looking(pages):
            fresh = share(mill.workers(), scale.window)
        with looking([partial(_question, bare.client)] * PAGES):
            plain = share(bare.workers(), scale.window)
        ours, theirs = interleaved(scale.rounds, beside_pages, status)
        time.sleep(max(0.0, begun + SILENT - time.monotonic()))
        with looking(pages):
            silent = [share(mill.workers(), scale.window) for _ in range(3)]
    percent, bare_asked = "% of a processor", f"% of a processor, bare Flask asked every {ASKED:g} s"
    name, note = f"{PAGES} live pages", f"without them {rest:.2g} %"
    yield compared(f"{name}, the job has begun", percent, [fresh - rest], (bare_asked, [plain]))
    yield Figure(f"{name}, silent for {SILENT:g} s", max(0.0, p50(silent) - rest), percent, most=1, note=note)
    yield compared("GET status meanwhile, p50", "ms", ours, ("ms, nobody looks", theirs), most=FLAT)


def share(pids: list[int], window: float) -> float:
    """Per cent of a processor that these take."""
    before = cpu_seconds(*pids)
    time.sleep(window)
    return 100 * (cpu_seconds(*pids) - before) / window


@contextmanager
def looking(pages: list[Look]) -> Iterator[None]:
    """Pages are open meanwhile; each has asked once when this begins."""
    over = threading.Event()
    threads = [threading.Thread(target=page, args=(over,)) for page in pages]
    for number, thread in enumerate(threads):
        thread.start()
        time.sleep(ASKED / len(pages) / 4 * (number > 0))
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _page(connect: Callable[[], Client], job_id: str, over: threading.Event) -> None:
    """One page: what is new since it was told, again and again, and now and then all of it."""
    client, headers, renewed = connect(), dict(STREAM), 0.0
    while True:
        if time.monotonic() >= renewed:
            shown = client.expect(200, "GET", f"/jobs/{job_id}", None, HTML).body.decode()
            renewed = time.monotonic() + _milliseconds(r'data-renewal="(\d+)"', shown)
        told = client.expect(200, "GET", f"/jobs/{job_id}/events", None, headers).body.decode()
        for line in told.splitlines():
            if line.startswith("id: "):
                headers["Last-Event-ID"] = line.removeprefix("id: ")
        if over.wait(_milliseconds(r"^retry: (\d+)", told)):
            return


def _milliseconds(pattern: str, text: str) -> float:
    """What an answer says, in seconds."""
    found = re.search(pattern, text)
    assert found, text
    return int(found[1]) / 1000


def _question(connect: Callable[[], Client], over: threading.Event) -> None:
    """One page that asks for next to nothing."""
    client = connect()
    while True:
        client.expect(200, "GET", "/")
        if over.wait(ASKED):
            return
