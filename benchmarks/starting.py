"""What a server costs before it does anything: time to start, and memory; and what a job adds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from benchmarks import beside
from benchmarks.client import JSON, body, crowd, get
from benchmarks.figures import Figure, compared
from benchmarks.measuring import interleaved, p50, private, pss
from benchmarks.mill import Mill, serving, temporary
from benchmarks.packages import SAY, SLEEP, deploy, run
from benchmarks.scale import Scale
from geomill.app.engine import reaper

JOBS = 10
MEMORY, MEMORY_WITH_CWL = 150, 200  # MB
OWN, OWN_WITH_LIBRARIES = 2, 4  # MB


def start(scale: Scale) -> Iterator[Figure]:
    """From the command until the first answer, the end of the first echo, and of the first job of a CWL package."""
    place = temporary()
    with serving(place) as mill:
        deploy(mill.client(), SAY)
        run(mill, mill.client(), "say", {"word": "hello"})
    works = [started_ours, partial(first_cwl, place)]
    if beside.has_pygeoapi():
        works.append(started_pygeoapi)
    ours, packages, *others = interleaved(scale.starts, *works)
    answered, echoed = ([each[number] for each in ours] for number in (0, 1))
    yield Figure("start until the first answer, p50", p50(answered), "s", most=0.8)
    yield Figure("start until the first echo has ended, p50", p50(echoed), "s", most=0.8)
    yield Figure("start until the first CWL job has ended, p50", p50(each[1] for each in packages), "s", most=2.5)
    for theirs in others:
        yield compared(
            "start until the first answer", "s", answered, ("s, pygeoapi", [each[0] for each in theirs]), most=1
        )


def started_ours() -> tuple[float, float]:
    """Seconds until the first answer, and until the first job has ended."""
    begun = time.monotonic()
    with serving() as mill:
        client = mill.client()
        client.expect(200, "GET", "/")
        answered = time.monotonic() - begun
        client.expect(200, "POST", "/processes/echo/execution", body({"echoInput": "hello"}), JSON)
        return answered, time.monotonic() - begun


def started_pygeoapi() -> tuple[float, float]:
    """Seconds until the first answer of pygeoapi."""
    with beside.pygeoapi() as peer:
        return peer.seconds, 0.0


def first_cwl(place: Path) -> tuple[float, float]:
    """The same of a home that a package was deployed to."""
    begun = time.monotonic()
    with serving(place) as mill:
        client = mill.client()
        client.expect(200, "GET", "/")
        answered = time.monotonic() - begun
        run(mill, client, "say", {"word": "hello"})
        return answered, time.monotonic() - begun


def memory(scale: Scale) -> Iterator[Figure]:
    """Memory of two workers, dispatcher and templates at rest, and what each running job has for itself."""
    with serving(max_running=JOBS * 3) as mill:
        client = mill.client()
        client.expect(200, "POST", "/processes/echo/execution", body({"echoInput": "hello"}), JSON)
        mill.warm_up()
        yield from at_rest("base and geo", mill, MEMORY)
        for document in (SAY, SLEEP):
            deploy(client, document)
        run(mill, client, "say", {"word": "hello"})
        mill.warm_up("cwl")
        yield from at_rest("base, geo and cwl", mill, MEMORY_WITH_CWL)
        most = {"pause-base": OWN, "pause-geo": OWN_WITH_LIBRARIES, "rest": OWN_WITH_LIBRARIES}
        for process, megabytes in most.items():
            jobs = [client.execute(process, {"seconds": 600}) for _ in range(JOBS)]
            for job_id in jobs:
                mill.wait(job_id, "running")
            time.sleep(1.5)  # until each is where it stays
            supervisors = [mill.status(job_id)["pid"] for job_id in jobs]
            own = [sum(map(private, [pid, *reaper.descendants(pid)])) for pid in supervisors]
            yield Figure(f"a running job, {process}, private", p50(own), "MB", most=megabytes)
            for job_id in jobs:
                client.expect(200, "DELETE", f"/jobs/{job_id}")


def at_rest(name: str, mill: Mill, most: float) -> Iterator[Figure]:
    """What all processes of a server have, and which has how much."""
    family = {**mill.family(), "spares": mill.spares()}
    sizes = {who: sum(map(pss, pids)) for who, pids in family.items()}
    note = ", ".join(f"{who} {size:.0f}" for who, size in sizes.items())
    peer = memory_of_pygeoapi() if beside.has_pygeoapi() else None
    yield Figure(
        f"memory with {name}", sum(sizes.values()), "MB PSS", most, note=note, beside=peer, other="MB, pygeoapi"
    )


@cache
def memory_of_pygeoapi() -> float:
    """What its master and its two workers have when both have answered."""
    with beside.pygeoapi() as peer:
        crowd(peer.url, [get("/processes")] * 200, 8)
        return sum(map(pss, (peer.master, *peer.workers())))
