"""Many jobs that wait, and many that run: how fast others are started meanwhile, and what the server does at rest."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from benchmarks.client import crowd, post
from benchmarks.figures import Figure, compared
from benchmarks.measuring import cpu_seconds, interleaved
from benchmarks.mill import Mill, serving
from benchmarks.scale import Scale

ECHO = {"echoInput": "hello"}
LONG = {"seconds": 3600}
CLIENTS = 8
ROOM = 100_000  # jobs that may wait
NEAR = 0.9  # of the rate of an empty queue
IDLE = 1.0  # per cent of a processor


def queued(scale: Scale) -> Iterator[Figure]:
    """Jobs are started with thousands waiting behind them, as fast as if there were none."""
    room = {"max_queued": ROOM, "max_queued_per_caller": ROOM}
    count = min(200, scale.queued // (scale.rounds + 2))
    with serving(**room) as empty, serving(**room) as full:
        for mill in (empty, full):
            mill.warm_up()
        with held(full):
            waiting = crowd(full.url, [post("echo", ECHO)] * scale.queued, CLIENTS, 201).jobs()
            waiting.sort()
            settle(full)
            yield from idle(f"{scale.queued} queued", full, full.family(), scale.window)
            dispatcher = full.dispatcher()
            os.kill(dispatcher, signal.SIGSTOP)
        try:
            works = partial(released, full, dispatcher, waiting, count), partial(rate_of_start, empty, count)
            ours, theirs = interleaved(scale.rounds, *works)
        finally:
            os.kill(dispatcher, signal.SIGCONT)
    title = f"starts, {scale.queued} queued"
    yield compared(title, "/s", ours, ("/s, nothing queued", theirs), least=NEAR)


def running(scale: Scale) -> Iterator[Figure]:
    """Jobs are started beside hundreds that run, as fast as if there were none."""
    count = scale.burst
    places = os.cpu_count() or 1
    with serving() as empty, serving(max_running=scale.running + places) as full:
        for mill in (empty, full):
            mill.warm_up()
        jobs = crowd(full.url, [post("pause-base", LONG)] * scale.running, CLIENTS, 201).jobs()
        for job_id in jobs:
            full.wait(job_id, "running")
        settle(full)
        yield from idle(f"{scale.running} running", full, full.family(), scale.window)
        supervisors = {"job": [full.status(job_id)["pid"] for job_id in jobs]}
        yield from idle(f"{scale.running} running, their supervisors", full, supervisors, scale.window)
        works = (partial(rate_of_start, each, count, places) for each in (full, empty))
        ours, theirs = interleaved(scale.rounds, *works)
    yield compared(f"starts, {scale.running} running", "/s", ours, ("/s, none running", theirs), least=NEAR)


@contextmanager
def held(mill: Mill, places: int | None = None) -> Iterator[None]:
    """Keep jobs from being started meanwhile, by others in all free places."""
    client = mill.client()
    holding = [client.execute("pause-base", LONG) for _ in range(places or mill.settings.max_running)]
    for job_id in holding:
        mill.wait(job_id, "running")
    try:
        yield
    finally:
        for job_id in holding:
            client.call("DELETE", f"/jobs/{job_id}")


def rate_of_start(mill: Mill, count: int, places: int | None = None) -> float:
    """How many of the jobs that wait are started in a second."""
    with held(mill, places):
        jobs = crowd(mill.url, [post("echo", ECHO)] * count, CLIENTS, 201).jobs()
        since = time.time()
    return rate(mill, jobs, since)


def released(mill: Mill, dispatcher: int, waiting: list[str], count: int) -> float:
    """The same of the first of those that wait already; its dispatcher is stopped before and after."""
    jobs, waiting[:] = waiting[:count], waiting[count:]
    since = time.time()
    os.kill(dispatcher, signal.SIGCONT)
    try:
        return rate(mill, jobs, since)
    finally:
        os.kill(dispatcher, signal.SIGSTOP)


def rate(mill: Mill, jobs: list[str], since: float) -> float:
    """Starts a second, as their statuses say when all have ended; without those that began before: some were next."""
    begun = sorted(datetime.fromisoformat(mill.wait(job_id)["started"]).timestamp() for job_id in jobs)
    begun = [moment for moment in begun if moment >= since]
    return (len(begun) - 1) / (begun[-1] - begun[0])


def settle(mill: Mill) -> None:
    """Wait until the dispatcher has nothing left to do, for a while at most."""
    dispatcher, taken = mill.dispatcher(), 1.0
    deadline = time.monotonic() + 20
    while taken > 0.005 and time.monotonic() < deadline:
        before = cpu_seconds(dispatcher)
        time.sleep(0.5)
        taken = cpu_seconds(dispatcher) - before


def idle(name: str, mill: Mill, family: dict[str, list[int]], window: float) -> Iterator[Figure]:
    """The share of a processor that these take while nobody asks for anything."""
    before = {who: cpu_seconds(*pids) for who, pids in family.items()}
    time.sleep(window)
    taken = {who: 100 * (cpu_seconds(*pids) - before[who]) / window for who, pids in family.items()}
    note = ", ".join(f"{who} {share:.2g}" for who, share in taken.items() if share >= 0.01)
    yield Figure(f"at rest, {name}", sum(taken.values()), "% of a processor", most=IDLE, note=note)
