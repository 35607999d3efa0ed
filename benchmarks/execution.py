"""How fast a job is accepted, begins, and is answered."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.figures import Figure, cpu, interleaved, latency, machine, milliseconds, p50
from benchmarks.mill import Client, body, serving
from examples.backstage import expect
from geomill.jobstore import Job, JobStore
from geomill.jobstore.records import new_job_id, now

HELLO = {"echoInput": "hello"}
ROUNDS = 200


def accept() -> Iterator[Figure]:
    """An asynchronous POST until its 201, beside the same files and fsyncs without a server."""
    with serving() as mill:
        mill.warm_up()
        client, bare = mill.client(), Bare(mill.place / "bare")
        alike = fsyncs(bare.create) == fsyncs(partial(create, mill.place / "other"))
        expect(alike, "Bare does not bring to disk what JobStore.create does")

        def post() -> float:
            begun = time.perf_counter_ns()
            job_id = client.execute("echo", HELLO)
            passed = (time.perf_counter_ns() - begun) / 1e6
            mill.wait(job_id)
            return passed

        before = mill.cpu()
        posted, bared = interleaved(ROUNDS, post, lambda: milliseconds(bare.create))
        after = mill.cpu()
        followed = [milliseconds(lambda: client.execute("echo", HELLO)) for _ in range(50)]
        yield from latency("async POST", posted, most=3)
        yield from latency("the same fsyncs, bare", bared)
        yield Figure("async POST / bare", p50(a / b for a, b in zip(posted, bared, strict=True)), "x", most=3)
        yield from cpu("a job, without its own", before, after, ROUNDS + 1)
        yield from latency("async POST while other jobs run", followed)


def fsyncs(work: Callable[[], Any]) -> int:
    """How often it brings something to disk."""
    with patch.object(os, "fsync") as fsync:
        work()
    return int(fsync.call_count)


def create(folder: Path) -> None:
    """What an asynchronous POST asks of the store, in a store of its own, so that nobody starts the job."""
    store = JobStore(folder, folder)
    store.create(Job(new_job_id(), "none", "1.0.0", "", now(), "", "", "", ""), body(HELLO), durable=True)


class Bare:
    """What JobStore.create does to the disk, and no more."""

    def __init__(self, folder: Path) -> None:
        """folder: on the same file system as the home."""
        self.shard, self.number = folder / "shard", 0
        self.shard.mkdir(parents=True)

    def create(self) -> None:
        """A folder with two files and a link; three fsyncs."""
        self.number += 1
        building, folder = self.shard / f".new-{self.number}", self.shard / str(self.number)
        building.mkdir()
        for name, size in (("request.json", 36), ("job.json", 900)):
            descriptor = os.open(building / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.write(descriptor, b"x" * size)
            os.fsync(descriptor)
            os.close(descriptor)
        os.link(building / "job.json", building / "status.json")
        os.rename(building, folder)
        descriptor = os.open(self.shard, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(descriptor)
        os.close(descriptor)


def begin() -> Iterator[Figure]:
    """From the moment the client begins to send until the first line of user code."""
    with serving() as mill:
        mill.warm_up()
        client = mill.client()

        def start(process: str) -> float:
            begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            job_id = client.execute(process, {})
            status = mill.wait(job_id)
            expect(status["status"] == "successful", f"{process} ended as {status}")
            stamp = mill.store.results(job_id)["result"].value
            return float(stamp - begun) / 1e6

        def wait(process: str) -> float:
            begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            reply = client.expect(200, "POST", f"/processes/{process}/execution", body({}))
            return float(reply.json() - begun) / 1e6

        for process in ("stamp-base", "stamp-geo"):
            mill.wait(client.execute(process, {}))  # describes the file, and starts the template
        works = [lambda: start("stamp-base"), lambda: start("stamp-geo"), lambda: wait("stamp-base")]
        base, geo, sync = interleaved(ROUNDS // 2, *works)
        yield from latency("async POST until user code, base", base, most=8)
        yield from latency("async POST until user code, geo", geo, most=15)
        yield from latency("sync POST until user code, base", sync)


def sync() -> Iterator[Figure]:
    """A synchronous echo."""
    with serving() as mill:
        mill.warm_up()
        client = mill.client()
        client.expect(200, "POST", "/processes/echo/execution", body(HELLO))
        before = mill.cpu()
        works = [
            lambda: milliseconds(lambda: client.expect(200, "POST", "/processes/echo/execution", body(HELLO))),
            lambda: milliseconds(lambda: client.expect(200, "GET", "/processes/echo")),
        ]
        echoed, shown = interleaved(ROUNDS, *works)
        after = mill.cpu()
        yield from latency("sync echo", echoed, most=15)
        yield from latency("GET /processes/echo", shown)
        yield from cpu("both, without the job's own", before, after, ROUNDS + 1)


def many() -> Iterator[Figure]:
    """Many jobs from eight clients, from the first POST until the last has ended."""
    count, clients = 200, 8
    with serving() as mill:
        mill.warm_up()
        mill.wait(mill.client().execute("echo", HELLO))
        jobs: list[str] = []
        before, all_before, begun = mill.cpu(), machine(), time.time()
        threads = [threading.Thread(target=_post, args=(mill.client(), count // clients, jobs)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        posted = time.time() - begun
        ended = [mill.wait(job_id) for job_id in jobs]
        after, all_after = mill.cpu(), machine()
    expect(len(jobs) == count, f"{count - len(jobs)} of {count} jobs were not accepted")
    expect(all(status["status"] == "successful" for status in ended), "not all jobs were successful")
    expect(len({(status["pid"], status["start_time"]) for status in ended}) == count, "jobs have shared a process")
    last = max(datetime.fromisoformat(status["finished"]).timestamp() for status in ended)
    yield Figure(f"{count} async echoes, {clients} clients", count / (last - begun), "jobs/s", least=100)
    yield Figure("the POSTs of these", count / posted, "jobs/s")
    yield from cpu("a job, without its own", before, after, count)
    yield Figure("CPU of the whole machine a job", 1000 * (all_after - all_before) / count, "ms")


def _post(client: Client, count: int, jobs: list[str]) -> None:
    """One client of many."""
    for _ in range(count):
        jobs.append(client.execute("echo", HELLO))
