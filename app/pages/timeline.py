"""The steps of a job on an axis of time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from geomill.app.pages import words

MOST = 200  # bars
_ROUND = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)  # seconds
_MOST_TICKS = 6
DAY = 86400.0
_SHORTEST = 0.4  # percent of the axis: a bar that can be seen
Span = tuple[float, float, dict[str, Any]]  # when a step began and ended, in seconds since 1970, and the step


@dataclass(frozen=True)
class Tick:
    """A moment on the axis. at: percent of it."""

    at: float
    text: str


class Bar(NamedTuple):
    """One step, all but its id as it can stand in HTML: words and numbers of ours.

    name: the id, escaped, where it may be broken; note: what its state does not tell; log: the name of its log as a
    part of an address, if there is one; begin, width: percent of the axis;
    told: its times in words; took, memory: what it needed. A tuple, as a row of the list of jobs is.
    """

    id: str
    name: Markup
    status: str
    note: str
    log: str
    begin: float
    width: float
    told: str
    took: str
    memory: str


@dataclass(frozen=True)
class Timeline:
    """Steps in the order in which they began. seconds: of the whole axis; left_out: steps that have no bar."""

    seconds: float
    ticks: list[Tick]
    bars: list[Bar]
    left_out: int


def of(
    steps: Sequence[dict[str, Any]],
    begin: datetime | None,
    end: datetime,
    logs: Collection[str] = (),
    skipped: Collection[str] = (),
) -> Timeline:
    """Steps as bars. begin: of the job, None where that is not known; end: of the job, or now.

    logs: names of those that there are; skipped: ids of the steps that were.
    """
    last = end.timestamp()
    spans = sorted(((*_span(step, last), step) for step in _shown(steps)), key=lambda each: each[0])
    first = min([each[0] for each in spans[:1]] + ([begin.timestamp()] if begin else []), default=last)
    whole = max(max([each[1] for each in spans] + [last]) - first, 0.001)

    def bar(span: Span) -> Bar:
        began, ended, step = span
        width = max((ended - began) / whole * 100, _SHORTEST)
        name, note = step["id"], ""
        if step.get("reused") or name in skipped:
            note = "taken over" if step.get("reused") else "skipped"
        return Bar(
            id=name,
            name=words.breakable(name),
            status=step["status"],
            note=note,
            log=quote(f"{name}.log") if f"{name}.log" in logs else "",
            begin=round(min((began - first) / whole * 100, 100 - width), 2),
            width=round(width, 2),
            told=f"after {words.duration(began - first)}, for {words.duration(ended - began)}",
            took=words.duration(step.get("seconds") or None),
            memory=words.size(step.get("peakMemory") or None),
        )

    return Timeline(whole, _ticks(whole), list(map(bar, spans)), len(steps) - len(spans))


def _shown(steps: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The latest, after all that did not end well, or has not ended: somebody looks for that.

    steps: in the order in which they began, all but exactly.
    """
    if len(steps) <= MOST:
        return steps
    return sorted(steps, key=lambda step: step["status"] != "successful")[-MOST:]


def _span(step: dict[str, Any], end: float) -> tuple[float, float]:
    """When a step began and ended; one that goes on reaches to the end."""
    finished = _seconds(step.get("finished"))
    began = _seconds(step.get("started")) or finished or end
    return began, max(began, finished or end)


def _seconds(time: str | None) -> float | None:
    moment = words.instant(time)
    return moment.timestamp() if moment else None


def _ticks(whole: float) -> list[Tick]:
    """Round moments, few enough to be read."""
    step = next((each for each in _tenths() if whole / each <= _MOST_TICKS), None)
    step = step or DAY * ceil(whole / DAY / _MOST_TICKS)
    count = int(whole / step)
    return [Tick(round(number * step / whole * 100, 2), _axis(number * step)) for number in range(count + 1)]


def _tenths() -> list[float]:
    """Round lengths of time, from a millisecond to half a day."""
    return [each * unit for unit in (0.001, 0.01, 0.1) for each in (1, 2, 5)] + list(map(float, _ROUND))


def _axis(seconds: float) -> str:
    """A moment on the axis: "0", "1 min 30 s"."""
    if not seconds:
        return "0"
    return f"{seconds:g} s" if 1 <= seconds < 60 else words.duration(seconds)
