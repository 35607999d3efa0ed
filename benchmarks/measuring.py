"""How things are measured: times, processor time and memory of processes, and medians of what is measured in turn."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from geomill.app.engine.stillness import clock_of

Measured = TypeVar("Measured")


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that this share (0 to 1) of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def p50(values: Iterable[float]) -> float:
    """The median."""
    return percentile(values, 0.5)


def milliseconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    begun = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - begun) / 1e6


def interleaved(rounds: int, *works: Callable[[], Measured]) -> list[list[Measured]]:
    """Let each measure itself, in turn, so that noise of the machine meets all alike; the first round is not counted.

    Every second round goes backwards: nobody is always the one behind somebody.
    """
    measured: list[list[Measured]] = [[] for _ in works]
    gc.disable()
    try:
        for number in range(-1, rounds):
            order = range(len(works)) if number % 2 else reversed(range(len(works)))
            for which in order:
                wait_for_quiet()
                value = works[which]()
                if number >= 0:
                    measured[which].append(value)
    finally:
        gc.enable()
    return measured


def wait_for_quiet(seconds: float = 0.02) -> None:
    """Wait until nobody else wants a processor this moment, for a while at most: what came before has ended by then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.001)
        if Path("/proc/loadavg").read_text().split()[3].startswith("1/"):
            return


def busy(seconds: float = 0.5) -> float:
    """The share of all processors (0 to 1) that others keep busy."""
    before = machine()
    time.sleep(seconds)
    return (machine() - before) / seconds / (os.cpu_count() or 1)


def machine() -> float:
    """Seconds of processor time that the whole machine has taken so far, in hundredths."""
    times = list(map(int, Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]))
    return (sum(times) - times[3] - times[4]) / os.sysconf("SC_CLK_TCK")  # without idle and iowait


def cpu_seconds(*pids: int) -> float:
    """Processor time of all threads of processes, to the nanosecond, where /proc/PID/stat counts in hundredths."""
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    with suppress(OSError):
        return time.clock_gettime(clock_of(pid))
    return 0.0


def memory(pid: int, *kinds: str) -> float:
    """Megabytes of memory of a process. kinds: as in /proc/PID/smaps_rollup: Pss divides what several share."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.partition(":")[0] in kinds) / 1024
    return 0.0


def pss(pid: int) -> float:
    """Megabytes of memory of a process, shared pages by their share."""
    return memory(pid, "Pss")


def private(pid: int) -> float:
    """Megabytes of memory that nobody shares with a process, which go when it goes."""
    return memory(pid, "Private_Clean", "Private_Dirty")
