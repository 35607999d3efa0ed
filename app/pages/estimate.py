"""How long a job may still take, in words, and what that is based on; nothing rather than a guess. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from geomill.app.pages import words

ENOUGH = 3  # successful runs before, from which a duration is learnt
TELLING = 10  # percent of progress, from which a pace is learnt
SHORTEST = 5.0  # seconds: what ends sooner needs no estimate
WIDEST = 6.0  # the longest by the shortest: a wider range says only how long it is at most


@dataclass(frozen=True)
class Run:
    """A job that has begun. seconds: that it has run; progress: percent, None where it says nothing;

    reported: seconds after which it said that.
    """

    seconds: float
    progress: int | None = None
    reported: float = 0.0


def left(durations: Sequence[float], run: Run | None) -> str | None:
    """How long a job may still take. durations: seconds of successful jobs of its process; run: None before it begins.

    Both count, the job's own pace the more the further it is. None where neither is known, or it is over in a moment.
    """
    running = run.seconds if run else 0.0
    longer = [each for each in durations if each > running]
    known = len(durations) >= ENOUGH
    before = _range(longer, running) if known and len(longer) >= ENOUGH else None
    own = _own(run) if run else None
    if before and own is not None and run:
        weight = (run.progress or 0) / 100
        low, high = (weight * own + (1 - weight) * each for each in before)
        basis = f"its own progress and {len(durations)} runs"
    elif own is not None:
        low = high = own
        basis = "its own progress"
    elif before:
        low, high = before
        basis = f"{len(durations)} runs"
    elif known and running > SHORTEST:
        usual = words.duration(median(durations))
        return f"It takes longer than usual: the median of {len(durations)} runs is {usual}."
    else:
        return None
    if high < SHORTEST:
        return None
    many = _between(low, high)
    if run is None:
        return f"Once begun, it takes {many}: an estimate, from {basis}."
    return f"{many[0].upper()}{many[1:]} left: an estimate, from {basis}."


def _range(durations: Sequence[float], passed: float) -> tuple[float, float]:
    """What the middle half of them still took after this time: the shortest and the longest."""
    shortest, _, longest = quantiles(durations, n=4, method="inclusive")
    return shortest - passed, longest - passed


def _own(run: Run) -> float | None:
    """How long a job takes from here if it goes on as it did; None for one that has hardly begun, or stands still."""
    if run.progress is None or not TELLING <= run.progress < 100 or run.seconds > 2 * run.reported:
        return None
    return run.seconds * (100 / run.progress - 1)


def _between(low: float, high: float) -> str:
    """ "about 2 minutes", "2 to 5 minutes", "up to 5 minutes"."""
    most = words.roughly(high)
    if low * WIDEST < high:
        return f"up to {most}"
    least = words.roughly(low)
    if least == most:
        return most if most.startswith("a few") else f"about {most}"
    number, _, unit = least.partition(" ")
    return f"{number} to {most}" if unit.rstrip("s") == most.partition(" ")[2].rstrip("s") else f"{least} to {most}"
