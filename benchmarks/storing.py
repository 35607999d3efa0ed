"""What a finished job takes on disk, and how long the index is made anew from a hundred thousand of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

from benchmarks import stock
from benchmarks.figures import Figure
from benchmarks.measuring import p50, percentile
from benchmarks.mill import Mill, serving, until
from benchmarks.scale import Scale
from geomill.jobstore.alive import boot_id

INODES, BYTES = 6, 20 * 1024
REBUILT = 6.0  # seconds for WHOLE jobs
WHOLE = 100_000
STALLED = 200.0  # ms


def disk(scale: Scale) -> Iterator[Figure]:
    """A finished echo on disk."""
    with serving() as mill:
        job_id = mill.client().execute("echo", {"echoInput": "hello"})
        mill.wait(job_id)
        mill.drain()
        folder = mill.store.folder(job_id)
        until(lambda: not mill.store.has_supervisor(job_id))
        entries = [folder.lstat(), *(path.lstat() for path in folder.rglob("*"))]
        names = ", ".join(sorted(path.name for path in folder.iterdir()))
    yield Figure("a finished echo", len({entry.st_ino for entry in entries}), "inodes", most=INODES, note=names)
    blocks = {entry.st_ino: entry.st_blocks for entry in entries}
    yield Figure("a finished echo, on disk", 512 * sum(blocks.values()), "bytes", most=BYTES)


def rebuild(scale: Scale) -> Iterator[Figure]:
    """The index is made anew from the folders of all jobs, and the server goes on answering.

    To be run after `list`: what has no folder is not in the index any more.
    """
    place = stock.home(scale.stored, scale.rows)
    with serving(place) as mill:
        mill.warm_up()
        job_id = stock.newest(place)
        times = [rebuilt(mill, job_id) for _ in range(scale.starts)]
    share = scale.stored / WHOLE
    yield Figure(f"rebuild of {scale.stored} jobs", p50(each[0] for each in times), "s", most=REBUILT * share)
    waits = [wait for each in times for wait in each[1]]
    yield Figure("GET status meanwhile, p50", p50(waits), "ms")
    yield Figure("GET status meanwhile, the longest", percentile(waits, 1), "ms", most=STALLED)


def rebuilt(mill: Mill, job_id: str) -> tuple[float, list[float]]:
    """Seconds until a doubted index is sound again, and what a client waits for meanwhile, in ms, again and again."""
    for folder in mill.store.walk():  # so that what is read is in memory
        os.stat(mill.store.folder(folder) / "status.json")
    mill.store.index.doubt()
    begun = time.monotonic()
    asking = threading.Thread(target=mill.client().call, args=("GET", "/jobs"))
    asking.start()
    client, waits = mill.client(), []
    while not mill.store.index.sound(boot_id()):
        asked = time.monotonic()
        client.expect(200, "GET", f"/jobs/{job_id}")
        waits.append(1000 * (time.monotonic() - asked))
        time.sleep(0.02)
    taken = time.monotonic() - begun
    asking.join()
    return taken, waits
