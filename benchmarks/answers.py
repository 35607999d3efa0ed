"""What an answer costs that takes no job: beside a bare Flask application that says the same, and beside pygeoapi."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from benchmarks import beside, stock
from benchmarks.client import crowd, get
from benchmarks.figures import Figure, compared, latency
from benchmarks.measuring import cpu_seconds, interleaved, p50
from benchmarks.mill import Mill, serving
from benchmarks.scale import Scale
from benchmarks.tracing import calls, can_trace

PATHS = {"/": "/", "/processes": "/processes", "/processes/{id}": "/processes/echo", "status": "/jobs/{job}"}
CLIENTS = 8
COST, FLAT = 1.5, 1.2  # x
PEER = "pygeoapi"
FEW = 3  # requests in a batch of something slow


class Server(Protocol):
    """Something that answers."""

    @property
    def url(self) -> str:
        """Of its landing page."""

    def workers(self) -> list[int]:
        """The pids of what answers requests."""


def answers(scale: Scale) -> Iterator[Figure]:
    """Status, processes, one process, landing page: what the server pays, beside bare Flask and pygeoapi."""
    with ExitStack() as stack:
        mill = stack.enter_context(serving(processes=[]))
        paths = paths_of(finished(mill))
        mill.warm_up()
        bare = stack.enter_context(beside.bare_flask(mill, *paths.values()))
        for name, path in paths.items():
            ours, theirs = interleaved(scale.rounds, *(partial(cost, each, path, scale.batch) for each in (mill, bare)))
            yield compared(f"GET {name}, server CPU", "ms", ours, ("ms, bare Flask", theirs), most=COST)
        for name, path in paths.items():
            servers = [mill, bare]
            ours, theirs = interleaved(scale.rounds, *(partial(rate, each, path, scale.batch) for each in servers))
            yield compared(f"GET {name}, {CLIENTS} clients", "req/s", ours, ("req/s, bare Flask", theirs))
        if can_trace():
            for name, path in paths.items():
                ours_of, bares = (system_calls(each, path, scale.batch) for each in (mill, bare))
                yield Figure(f"GET {name}, system calls", ours_of, "", beside=bares, other="bare Flask")
        if beside.has_pygeoapi():
            yield from beside_pygeoapi(mill, paths, scale)


def beside_pygeoapi(mill: Mill, paths: dict[str, str], scale: Scale) -> Iterator[Figure]:
    """What both offer, with one job stored."""
    listed = len(mill.client().expect(200, "GET", "/processes").json()["processes"])
    with beside.pygeoapi(stored=1) as peer:
        for name, path in {"/processes": "/processes", "status": f"/jobs/{beside.stored_job(peer)}"}.items():
            ours, theirs = interleaved(
                scale.rounds,
                partial(rate, mill, paths[name], scale.batch),
                partial(rate, peer, path, scale.batch),
            )
            title = f"GET {name}, {CLIENTS} clients"
            note = f"{listed} of ours, one of pygeoapi" if name == "/processes" else ""
            yield compared(title, "req/s", ours, (f"req/s, {PEER}", theirs), least=1, note=note)


def flat(scale: Scale) -> Iterator[Figure]:
    """The same with one job stored and with a hundred thousand: how long one client waits."""
    one, many = stock.home(1), stock.home(scale.stored, scale.rows)
    with serving(one, processes=[]) as small, serving(many, processes=[]) as large:
        for mill in (small, large):
            mill.warm_up()
        before, after = (paths_of(stock.newest(place)) for place in (one, many))
        for name in PATHS:
            ours, theirs = interleaved(
                scale.rounds,
                partial(wait, large, after[name], scale.batch),
                partial(wait, small, before[name], scale.batch),
            )
            title = f"GET {name}, {scale.stored} jobs stored, p50"
            yield compared(title, "ms", ours, ("ms, one job", theirs), most=FLAT)
        if beside.has_pygeoapi():
            with beside.pygeoapi(scale.stored) as peer:
                ours, theirs = interleaved(
                    scale.rounds,
                    partial(wait, large, after["status"], FEW),
                    partial(wait, peer, f"/jobs/{beside.stored_job(peer)}", FEW),
                )
            yield from latency(
                f"GET status, {scale.stored} jobs stored", ours, 1, beside=(f"ms, {PEER}", theirs), relative=True
            )


def finished(mill: Mill) -> str:
    """The id of a job that has ended."""
    job_id = mill.client().execute("echo", {"echoInput": "hello"})
    mill.wait(job_id)
    return job_id


def paths_of(job_id: str) -> dict[str, str]:
    """The paths that are asked for, by name."""
    return {name: path.format(job=job_id) for name, path in PATHS.items()}


def cost(server: Server, path: str, count: int) -> float:
    """Milliseconds of processor time that the workers take for a request of one client."""
    workers = server.workers()
    before = cpu_seconds(*workers)
    crowd(server.url, [get(path)] * count)
    return 1000 * (cpu_seconds(*workers) - before) / count


def wait(server: Server, path: str, count: int) -> float:
    """Milliseconds that one client waits for an answer, the median."""
    return p50(crowd(server.url, [get(path)] * count).times)


def rate(server: Server, path: str, count: int) -> float:
    """Requests a second of several clients."""
    return crowd(server.url, [get(path)] * count, CLIENTS).rate


def system_calls(server: Server, path: str, count: int) -> float:
    """System calls of the workers for a request: what one more costs, without those that a connection takes."""
    once, twice = (
        calls(server.workers(), partial(crowd, server.url, [get(path)] * count * times)).total() for times in (1, 2)
    )
    return (twice - once) / count
