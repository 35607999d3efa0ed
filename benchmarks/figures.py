"""Figures: what was measured, what was measured beside it, the goal, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.measuring import p50, percentile

MET = {None: "", True: "yes", False: "NO"}


@dataclass(frozen=True)
class Figure:
    """One number of ours.

    most, least: the goal, inclusive; without any it is only told.
    beside: the same of `other`, measured in the same run; relative: the goal is one of the ratio to that.
    ratio: if it is not that of the two: the median of those of neighbours.
    """

    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    note: str = ""
    beside: float | None = None
    other: str = ""
    relative: bool = False
    ratio_of_pairs: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours as a share of what is beside it."""
        if self.ratio_of_pairs is not None or not self.beside:
            return self.ratio_of_pairs
        return self.value / self.beside

    @property
    def measured(self) -> float | None:
        """What the goal is about."""
        return self.ratio if self.relative else self.value

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.measured is None or (self.most is None and self.least is None):
            return None
        above = self.most is not None and self.measured > self.most
        return not above and (self.least is None or self.measured >= self.least)

    @property
    def share(self) -> float | None:
        """How much of what the goal allows is used, 1 is just met; None without a goal or a number."""
        if not self.measured:
            return None
        return self.measured / self.most if self.most else self.least / self.measured if self.least else None

    @property
    def goal(self) -> str:
        """The goal as text."""
        unit = " x" if self.relative else ""
        bounds = ("<=", self.most), (">=", self.least)
        return " ".join(f"{sign} {bound:g}{unit}" for sign, bound in bounds if bound is not None)

    def row(self) -> tuple[str, ...]:
        """What, ours, beside it, ratio, goal, met."""
        beside = "" if self.beside is None else f"{number(self.beside)} {self.other}".strip()
        ratio = "" if self.ratio is None else number(self.ratio)
        return self.name, f"{number(self.value)} {self.unit}".strip(), beside, ratio, self.goal, MET[self.met]

    def record(self) -> dict[str, Any]:
        """The figure for a JSON file."""
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


HEAD = ("what", "ours", "beside it", "ratio", "goal", "met")


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def table(figures: Iterable[Figure]) -> str:
    """The figures below each other, notes at the end."""
    rows = [(figure.row(), figure.note) for figure in figures]
    widths = [max((len(row[column]) for row, _ in rows), default=0) for column in range(len(HEAD))]
    lines = []
    for row, note in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append(("  " + "  ".join((*cells, note))).rstrip())
    return "\n".join(lines)


def markdown(figures: Iterable[Figure]) -> str:
    """The figures as a table of a document; notes below what they are about."""
    lines = [f"| {' | '.join(HEAD)} |", "|---|--:|--:|--:|--:|---|"]
    for figure in figures:
        name, *cells = (cell.replace("|", "\\|") for cell in figure.row())
        note = f"<br><sub>{figure.note}</sub>" if figure.note else ""
        lines.append(f"| {name}{note} | {' | '.join(cells)} |")
    return "\n".join(lines)


def latency(
    name: str, times: list[float], most: float | None = None, *, beside: tuple[str, list[float]] | None = None,
    relative: bool = False,
) -> Iterator[Figure]:  # fmt: skip
    """The median of some milliseconds, and how far they lie apart. most: the goal of the median, or of the ratio;

    beside: another's name and times, measured in turn with these.
    """
    spread = ", ".join(f"p{100 * share:.0f} {number(percentile(times, share))}" for share in (0.1, 0.99))
    if beside is None:
        yield Figure(f"{name}, p50", p50(times), "ms", most=most, note=spread)
    else:
        yield compared(f"{name}, p50", "ms", times, beside, most=most, relative=relative, note=spread)


def compared(
    name: str, unit: str, ours: list[float], beside: tuple[str, list[float]], *, most: float | None = None,
    least: float | None = None, relative: bool = True, note: str = "",
) -> Figure:  # fmt: skip
    """Medians of what was measured in turn; the ratio is the median of those of neighbours. beside: name, values."""
    other, theirs = beside
    ratio = p50(a / b for a, b in zip(ours, theirs, strict=True)) if len(ours) == len(theirs) and all(theirs) else None
    return Figure(name, p50(ours), unit, most, least, note, p50(theirs), other, relative, ratio)


def cpu(name: str, before: dict[str, float], after: dict[str, float], count: int) -> Iterator[Figure]:
    """What one of `count` requests cost the server: milliseconds of processor time, and whose."""
    taken = {who: (after[who] - before.get(who, 0)) / count for who in after}
    note = ", ".join(f"{who} {each:.2g}" for who, each in taken.items() if each >= 0.01)
    yield Figure(f"server CPU: {name}", sum(taken.values()), "ms", note=note)
