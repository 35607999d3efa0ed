"""How fast a job is accepted, begins, is answered, and ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import beside
from benchmarks.bare.files import Bare
from benchmarks.beside import HELLO, Forks
from benchmarks.client import ASYNC, JSON, Client, body, crowd, post
from benchmarks.figures import Figure, compared, cpu, latency
from benchmarks.measuring import interleaved, milliseconds, p50, percentile
from benchmarks.mill import Mill, serving
from benchmarks.queueing import held
from benchmarks.scale import Scale
from benchmarks.tracing import SYNCS, calls, can_trace
from examples.backstage import expect
from geomill.jobstore import Job, JobStore
from geomill.jobstore.records import new_job_id, now

ECHO = {"echoInput": "hello"}
CLIENTS = 8
EVERY = 0.05  # seconds between two looks at a burst: to ask all the time takes the processors from what is measured
ROOM = 100_000  # jobs of one caller that may wait
FSYNCS, FSYNCS_OF_END = 3, 4


def accept(scale: Scale) -> Iterator[Figure]:
    """An asynchronous POST until its 201, on disk: beside the same files without a server, bare Flask and pygeoapi."""
    with ExitStack() as stack:
        mill = stack.enter_context(serving(max_queued_per_caller=ROOM, max_queued=ROOM))
        mill.warm_up()
        bare, files = stack.enter_context(beside.bare_flask(mill)), Bare(mill.place / "bare")
        alike = fsyncs(files.create) == fsyncs(partial(create, mill.place / "other"))
        expect(alike, "Bare does not bring to disk what JobStore.create does")
        client, other, before = mill.client(), bare.client(), mill.cpu()
        works = partial(accepted, mill, client), partial(answered, other, "durable", ECHO)
        ours, theirs, bared = interleaved(scale.single, *works, lambda: milliseconds(files.create))
        after = mill.cpu()
        yield from latency("async POST", ours, 2.5, beside=("ms, bare Flask with the same files", theirs))
        yield compared("async POST", "ms", ours, ("ms, the same files alone", bared))
        yield from cpu("a job, without its own", before, after, scale.single + 1)
        yield from many_posts(mill, bare, scale)
        if can_trace():
            yield from disk_calls(mill, scale)
        if beside.has_pygeoapi():
            yield from beside_pygeoapi(mill, stack.enter_context(beside.pygeoapi()), scale)


def beside_pygeoapi(mill: Mill, peer: beside.Peer, scale: Scale) -> Iterator[Figure]:
    """The same where nothing is brought to disk: one client, and eight while jobs begin and end."""
    works = partial(accepted, mill, mill.client()), partial(answered, peer.client(), *HELLO)
    ours, theirs = interleaved(scale.single // 2, *works)
    yield compared("async POST, p50", "ms", ours, ("ms, pygeoapi", theirs), most=1)

    def all_at_once() -> float:
        rate = posts(mill.url, ("echo", ECHO), scale.burst)
        mill.drain()
        return rate

    ours, theirs = interleaved(scale.rounds, all_at_once, partial(posts, peer.url, HELLO, scale.burst // 2))
    yield compared(f"async POST, {CLIENTS} clients, jobs run", "/s", ours, ("/s, pygeoapi", theirs), least=1)


def many_posts(mill: Mill, bare: beside.Peer, scale: Scale) -> Iterator[Figure]:
    """Eight clients, while two jobs run and all others wait; then while jobs begin and end."""
    with held(mill):
        ours, plain, durable = interleaved(
            scale.rounds,
            partial(posts, mill.url, ("echo", ECHO), scale.burst),
            partial(posts, bare.url, ("plain", ECHO), scale.burst),
            partial(posts, bare.url, ("durable", ECHO), scale.burst),
        )
    title = f"async POST, {CLIENTS} clients, jobs wait"
    yield compared(title, "/s", ours, ("/s, bare Flask", plain), least=0.4)
    yield compared(title, "/s", ours, ("/s, bare Flask with the same files", durable))
    mill.drain()


def disk_calls(mill: Mill, scale: Scale) -> Iterator[Figure]:
    """What a job is brought to disk with, counted: until its 201, and from then until it has ended."""
    count, client = scale.single // 2, mill.client()
    work = partial(_one_by_one, mill, client, count)
    of_posts = calls(mill.workers(), work)
    time.sleep(0.5)  # a spare gets ready
    of_jobs = calls(mill.engine(), work)
    yield Figure("fsyncs until the 201", _syncs(of_posts) / count, "", most=FSYNCS)
    yield Figure("fsyncs from then until it has ended", _syncs(of_jobs) / count, "", most=FSYNCS_OF_END)
    yield Figure("system calls of a POST", sum(of_posts.values()) / count, "")
    yield Figure("system calls of the rest of the job", sum(of_jobs.values()) / count, "")


def _syncs(counted: dict[str, int]) -> int:
    return sum(counted.get(name, 0) for name in SYNCS)


def _one_by_one(mill: Mill, client: Client, count: int) -> None:
    for _ in range(count):
        mill.wait(client.execute("echo", ECHO))
    mill.drain()


def accepted(mill: Mill, client: Client) -> float:
    """Milliseconds until a 201; when this returns, the job has ended."""
    begun = time.perf_counter_ns()
    job_id = client.execute("echo", ECHO)
    passed = (time.perf_counter_ns() - begun) / 1e6
    mill.wait(job_id)
    return passed


def answered(client: Client, process: str, inputs: dict[str, Any]) -> float:
    """Milliseconds until the 201 of another server."""
    return milliseconds(
        lambda: client.expect(201, "POST", f"/processes/{process}/execution", body(inputs), {**ASYNC, **JSON})
    )


def posts(url: str, request: tuple[str, dict[str, Any]], count: int) -> float:
    """POSTs a second of several clients. request: a process and its inputs."""
    return crowd(url, [post(*request)] * count, CLIENTS, 201).rate


def fsyncs(work: Callable[[], Any]) -> int:
    """How often it brings something to disk."""
    with patch.object(os, "fsync") as fsync:
        work()
    return int(fsync.call_count)


def create(folder: Path) -> None:
    """What an asynchronous POST asks of the store, in a store of its own, so that nobody starts the job."""
    store = JobStore(folder, folder)
    store.create(Job(new_job_id(), "none", "1.0.0", "", now(), "", "", "", ""), body(ECHO), durable=True)


def begin(scale: Scale) -> Iterator[Figure]:
    """From the moment the client begins to send until the first line of user code."""
    with serving() as mill:
        mill.warm_up()
        client = mill.client()
        for process in ("stamp-base", "stamp-geo"):
            mill.wait(client.execute(process, {}))  # describes the file, and starts the template
        works = [partial(started, mill, client, process) for process in ("stamp-base", "stamp-geo")]
        base, geo, sync = interleaved(scale.single, *works, partial(waited, client, "stamp-base"))
    yield from latency("async POST until user code, base", base, most=6)
    yield from latency("async POST until user code, geo", geo, most=12)
    yield from latency("sync POST until user code, base", sync)


def started(mill: Mill, client: Client, process: str) -> float:
    """Milliseconds until the user code of an asynchronous job."""
    begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    job_id = client.execute(process, {})
    time.sleep(0.02)  # who asks at once takes a processor from the job that begins
    status = mill.wait(job_id)
    expect(status["status"] == "successful", f"{process} ended as {status}")
    return float(mill.store.results(job_id)["result"].value - begun) / 1e6


def waited(client: Client, process: str) -> float:
    """The same of a synchronous one."""
    begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    reply = client.expect(200, "POST", f"/processes/{process}/execution", body({}), JSON)
    return float(reply.json() - begun) / 1e6


def sync(scale: Scale) -> Iterator[Figure]:
    """A synchronous echo in a process of its own, beside one of pygeoapi in its worker."""
    with ExitStack() as stack:
        mill = stack.enter_context(serving())
        mill.warm_up()
        before = mill.cpu()
        requests = mill.url, post("echo", ECHO, wait=True)
        single = scale.single // 10 + 1
        bare, forks = stack.enter_context(beside.bare_flask(mill)).client(), stack.enter_context(Forks("base"))
        floor = partial(_floor, bare, forks, single)
        ours, floors = interleaved(scale.rounds, partial(_times, *requests, single, 1), floor)
        after = mill.cpu()
        yield from latency("sync echo", [time for times in ours for time in times], most=10)
        beside_it = "ms, a bare fork and a bare POST", list(map(p50, floors))
        yield compared("sync echo, p50", "ms", list(map(p50, ours)), beside_it)
        yield from cpu("it, without the job's own", before, after, (scale.rounds + 1) * single)
        many = [partial(crowd, requests[0], [requests[1]] * scale.burst, CLIENTS)]
        if beside.has_pygeoapi():
            peer = stack.enter_context(beside.pygeoapi())
            many.append(partial(crowd, peer.url, [post(*HELLO, wait=True)] * scale.burst, CLIENTS))
        measured = interleaved(scale.rounds, *many)
        rates = [[answers.rate for answers in each] for each in measured]
        times = [time for answers in measured[0] for time in answers.times]
        name = f"sync echo, {CLIENTS} clients"
        yield Figure(name, p50(rates[0]), "/s", least=120)
        yield Figure(f"{name}, p99", percentile(times, 0.99), "ms", most=150)
        for theirs in rates[1:]:
            yield compared(name, "/s", rates[0], ("/s, pygeoapi", theirs), least=1)


def _floor(bare: Client, forks: Forks, count: int) -> list[float]:
    """Milliseconds of a POST that is answered at once, and of a job that is forked, does nothing and has ended."""
    return [answered(bare, "plain", ECHO) + 1000 / forks.jobs(1) for _ in range(count)]


def _times(url: str, request: bytes, count: int, clients: int) -> list[float]:
    return crowd(url, [request] * count, clients).times


def jobs(scale: Scale) -> Iterator[Figure]:
    """Jobs of eight clients, each a real process that can be killed, from the first POST until the last has ended."""
    with ExitStack() as stack:
        mill = stack.enter_context(serving())
        mill.warm_up()
        bare = stack.enter_context(beside.bare_flask(mill))
        works = [partial(burst, mill, "echo", ECHO, scale.burst), partial(burst, mill, "stamp-geo", {}, scale.burst)]
        works += [partial(stack.enter_context(Forks(name)).jobs, scale.burst) for name in ("base", "geo")]
        works += [partial(posts, bare.url, ("plain", ECHO), scale.burst)]
        if beside.has_pygeoapi():
            works.append(partial(burst_of_pygeoapi, stack.enter_context(beside.pygeoapi()), scale.burst // 2))
        echo, geo, base, geos, plain, *others = interleaved(scale.rounds, *works)
        for name, ours, forks, least in (("echo", echo, base, 150), ("geo", geo, geos, 90)):
            yield Figure(f"{name} jobs, {CLIENTS} clients", p50(ours), "jobs/s", least=least)
            floor = [1 / (1 / one + 1 / other) for one, other in zip(forks, plain, strict=True)]
            yield compared(f"{name} jobs", "jobs/s", ours, ("jobs/s, bare forks and POSTs", floor), least=0.5)
            yield compared(f"{name} jobs", "jobs/s", ours, ("jobs/s, bare forks", forks))
        for theirs in others:
            yield compared("echo jobs", "jobs/s", echo, ("jobs/s, pygeoapi in threads", theirs), least=1)


def burst(mill: Mill, process: str, inputs: dict[str, Any], count: int) -> float:
    """Jobs a second, all of them successful, no two in one process."""
    begun = time.time()
    accepted = crowd(mill.url, [post(process, inputs)] * count, CLIENTS, 201).jobs()
    ended = [mill.wait(job_id, every=EVERY) for job_id in reversed(accepted)]
    expect(all(status["status"] == "successful" for status in ended), "not all jobs were successful")
    expect(len({(status["pid"], status["start_time"]) for status in ended}) == count, "jobs have shared a process")
    return count / (max(datetime.fromisoformat(status["finished"]).timestamp() for status in ended) - begun)


def burst_of_pygeoapi(peer: beside.Peer, count: int) -> float:
    """The same of pygeoapi, which runs them in threads of its workers."""
    begun, client = time.time(), peer.client()
    accepted = crowd(peer.url, [post(*HELLO)] * count, CLIENTS, 201).jobs()
    ended = []
    for job_id in reversed(accepted):
        while (status := client.expect(200, "GET", f"/jobs/{job_id}").json())["status"] in ("accepted", "running"):
            time.sleep(EVERY)
        ended.append(datetime.fromisoformat(status["finished"]).timestamp())
    return count / (max(ended) - begun)
