"""What a server costs before it does anything: time to start, and memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.figures import Figure, p50
from benchmarks.mill import body, pss, serving

STARTS = 3


def start() -> Iterator[Figure]:
    """From the command until the first answer, until the first job has ended, and memory then."""
    answered, ended = [], []
    for _ in range(STARTS):
        begun = time.monotonic()
        with serving() as mill:
            client = mill.client()
            client.expect(200, "GET", "/")
            answered.append(time.monotonic() - begun)
            client.expect(200, "POST", "/processes/echo/execution", body({"echoInput": "hello"}))
            ended.append(time.monotonic() - begun)
            mill.warm_up()
            family = {**mill.family(), "spares": mill.spares()}
            memory = {name: [pss(pid) for pid in pids] for name, pids in family.items()}
    yield Figure("start until the first answer, p50", p50(answered), "s", most=2)
    yield Figure("start until the first job has ended, p50", p50(ended), "s", most=3)
    for name, sizes in memory.items():
        yield Figure(f"memory, {name}", sum(sizes), "MB PSS", note=f"{len(sizes)} of them" if len(sizes) > 1 else "")
    yield Figure("memory, all together", sum(map(sum, memory.values())), "MB PSS", most=200)
