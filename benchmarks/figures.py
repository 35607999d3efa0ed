"""Figures: what was measured, the target it is held against, and how both are shown."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One number. most, least: the targets, inclusive; without any it is only told."""

    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def row(self) -> tuple[str, ...]:
        """What the table shows."""
        target = "" if self.met is None else f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"
        verdict = {None: "", True: "pass", False: "FAIL"}[self.met]
        return self.name, f"{self.value:.3g}" if self.value < 100 else f"{self.value:.0f}", self.unit, target, verdict

    def record(self) -> dict[str, Any]:
        """The figure for a JSON file."""
        return {**asdict(self), "met": self.met}


def table(figures: Iterable[Figure]) -> str:
    """The figures below each other, numbers to the right, notes at the end."""
    lines = []
    for figure in figures:
        name, value, unit, target, verdict = figure.row()
        lines.append(f"  {name:<44} {value:>7} {unit:<7} {target:>7}  {verdict:<4}  {figure.note}".rstrip())
    return "\n".join(lines)


def latency(name: str, times: list[float], most: float | None = None) -> Iterator[Figure]:
    """The median of some milliseconds, and how far they lie apart. most: the target of the median."""
    spread = ", ".join(f"p{share:.0%} {percentile(times, share):.3g}".replace("%", "") for share in (0.1, 0.99))
    yield Figure(f"{name}, p50", p50(times), "ms", most=most, note=spread)


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


def interleaved(rounds: int, *works: Callable[[], float]) -> list[list[float]]:
    """Let each measure itself, in turn, so that noise of the machine meets all alike; the first round is not counted.

    Every second round goes backwards: nobody is always the one behind somebody.
    """
    measured: list[list[float]] = [[] for _ in works]
    gc.disable()
    for number in range(-1, rounds):
        order = range(len(works)) if number % 2 else reversed(range(len(works)))
        for which in order:
            wait_for_quiet()
            value = works[which]()
            if number >= 0:
                measured[which].append(value)
    gc.enable()
    return measured


def cpu(name: str, before: dict[str, float], after: dict[str, float], count: int) -> Iterator[Figure]:
    """What one of `count` requests cost the server: milliseconds of processor time, and whose."""
    taken = {who: (after[who] - before.get(who, 0)) / count for who in after}
    note = ", ".join(f"{who} {each:.2g}" for who, each in taken.items() if each >= 0.01)
    yield Figure(f"server CPU: {name}", sum(taken.values()), "ms", note=note)


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
