"""The steps of a job on an axis of time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from geomill.app.pages import words

_ROUND = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)  # seconds
_MOST_TICKS = 6
DAY = 86400.0
_SHORTEST = 0.4  # percent of the axis: a bar that can be seen


@dataclass(frozen=True)
class Tick:
    """A moment on the axis. at: percent of it."""

    at: float
    text: str


@dataclass(frozen=True)
class Bar:
    """One step. step: as in the document of events; begin, width: percent of the axis; told: its times in words."""

    step: dict[str, Any]
    begin: float
    width: float
    told: str


@dataclass(frozen=True)
class Timeline:
    """Steps in the order in which they began. seconds: of the whole axis."""

    seconds: float
    ticks: list[Tick]
    bars: list[Bar]


def of(steps: Sequence[dict[str, Any]], begin: datetime | None, end: datetime) -> Timeline:
    """Steps as bars. begin: of the job, None where that is not known; end: of the job, or now."""
    spans = sorted(((_span(step, end), step) for step in steps), key=lambda each: each[0][0])
    first = min([each[0] for each, _ in spans] + ([begin] if begin else []), default=end)
    last = max([each[1] for each, _ in spans] + [end])
    whole = max((last - first).total_seconds(), 0.001)

    def percent(moment: datetime) -> float:
        return (moment - first).total_seconds() / whole * 100

    def bar(span: tuple[datetime, datetime], step: dict[str, Any]) -> Bar:
        width = max(percent(span[1]) - percent(span[0]), _SHORTEST)
        at = min(percent(span[0]), 100 - width)
        after, length = ((moment - begun).total_seconds() for moment, begun in ((span[0], first), (span[1], span[0])))
        return Bar(step, round(at, 2), round(width, 2), f"after {words.duration(after)}, for {words.duration(length)}")

    return Timeline(whole, _ticks(whole), [bar(span, step) for span, step in spans])


def _span(step: dict[str, Any], end: datetime) -> tuple[datetime, datetime]:
    """When a step began and ended; one that goes on reaches to the end."""
    finished = words.instant(step.get("finished"))
    began = words.instant(step.get("started")) or finished or end
    return began, max(began, finished or end)


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
