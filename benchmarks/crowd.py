"""A crowd that waits, others that want to know meanwhile, and jobs that are dismissed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

from benchmarks.client import JSON, Reply, body
from benchmarks.figures import Figure, latency
from benchmarks.measuring import milliseconds, percentile, wait_for_quiet
from benchmarks.mill import Mill, serving, until
from benchmarks.scale import Scale
from examples.backstage import expect

PAUSE = {"echoInput": "hello", "pause": 30}
CLIENTS = 64
SEATS = 16  # of each of two workers; how the clients are spread over the workers is up to the kernel


def waiting(scale: Scale) -> Iterator[Figure]:
    """GET status while 64 clients wait for synchronous jobs of 30 seconds; those without a seat get 201."""
    with serving() as mill:
        mill.warm_up()
        answers: list[Reply] = []
        threads = [threading.Thread(target=_wait, args=(mill, answers), daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        jobs = until(lambda: len(found := list(mill.store.walk())) == CLIENTS and found)
        until(lambda: len(answers) >= CLIENTS - 2 * SEATS and "running" in states(mill, jobs))
        running = next(job for job in jobs if mill.status(job)["status"] == "running")
        times: list[float] = []
        for _ in range(10):  # connections: each goes to whichever worker takes it
            client = mill.client()
            client.expect(200, "GET", "/")
            show = partial(client.expect, 200, "GET", f"/jobs/{running}")
            times += [milliseconds(show) for _ in range(50)]
            client.close()
        accepted = [answer for answer in answers if answer.status == 201]
        client, codes = mill.client(), []
        dismissed = milliseconds(lambda: codes.append(client.call("DELETE", f"/jobs/{running}").status))
        for job in jobs:
            if job != running:
                codes.append(client.call("DELETE", f"/jobs/{job}").status)
        for thread in threads:
            thread.join()
    yield Figure("clients that wait", CLIENTS - len(accepted), "", least=SEATS, note=f"at most {2 * SEATS}")
    yield from latency("GET status meanwhile", times)
    yield Figure("GET status meanwhile, p99", percentile(times, 0.99), "ms", most=50)
    yield Figure("DELETE of a running one meanwhile", dismissed, "ms")
    yield Figure(f"DELETE of all, answered 200, of {CLIENTS}", codes.count(200), "", least=CLIENTS)


def states(mill: Mill, jobs: list[str]) -> set[str]:
    """How the jobs stand."""
    return {mill.status(job)["status"] for job in jobs}


def _wait(mill: Mill, answers: list[Reply]) -> None:
    """One of the crowd."""
    answers.append(mill.client().call("POST", "/processes/echo/execution", body(PAUSE), JSON))


def dismiss(scale: Scale) -> Iterator[Figure]:
    """DELETE of a running job, which is answered when nothing of it is left."""
    times = []
    with serving() as mill:
        mill.warm_up()
        client = mill.client()
        for _ in range(scale.single // 2):
            job = client.execute("echo", PAUSE)
            until(lambda: "progress" in mill.status(job))  # noqa: B023  # user code has begun
            wait_for_quiet()
            times.append(milliseconds(partial(client.expect, 200, "DELETE", f"/jobs/{job}")))
            expect(mill.status(job)["status"] == "dismissed", f"job {job} is {mill.status(job)['status']}")
    yield from latency("DELETE of a running job", times, most=20)
