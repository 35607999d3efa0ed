"""The plots: how near to its goal each figure is, and what is beside what. The same figures give the same files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.document import Section
    from benchmarks.figures import Figure

STYLE = {
    "svg.hashsalt": "geomill", "svg.fonttype": "none", "font.size": 8, "font.family": "sans-serif",
    "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "white",
}  # fmt: skip
MET, MISSED, OTHER = "#2b7a78", "#c8553d", "#9aa5a4"
LEAST = 0.01  # share of a goal that is drawn
BESIDE = {  # benchmark -> what of it is drawn beside the others, by the beginning of its unit
    "answers": "ms", "jobs": "jobs/s",
}  # fmt: skip


def draw(folder: Path, sections: Sequence[Section]) -> dict[str, str]:
    """Write the plots: their file names by their titles; none where there is no matplotlib."""
    if find_spec("matplotlib") is None:
        return {}
    folder.mkdir(exist_ok=True)
    drawn = {}
    held = [(each.name, figure) for each in sections for figure in each.figures if figure.share is not None]
    if held:
        drawn["How much of what each goal allows is used; less is better"] = _goals(folder, held)
    for section in sections:
        unit = BESIDE.get(section.name)
        if unit and (pairs := [each for each in section.figures if each.unit == unit and each.beside is not None]):
            drawn[f"{section.title}, {unit}"] = _beside(folder, section.name, pairs)
    return drawn


def _goals(folder: Path, held: Sequence[tuple[str, Figure]]) -> str:
    """One bar for each goal, on a logarithmic axis; 1 is what it allows. held: benchmarks and their figures."""
    plot, axes = _axes(len(held))
    shares = [max(figure.share or 0.0, LEAST) for _, figure in held]
    labels = [f"{name}: {each.name}" + f", beside {_other(each)}" * each.relative for name, each in held]
    axes.barh(range(len(held)), shares, color=[MET if each.met else MISSED for _, each in held], tick_label=labels)
    axes.set_xscale("log")
    axes.set_xlim(LEAST, 1.2 * max(1.0, *shares))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("share of what the goal allows")
    return _save(plot, folder, "goals")


def _beside(folder: Path, name: str, figures: Sequence[Figure]) -> str:
    """Ours, and what is beside it."""
    bars: dict[str, tuple[float, str]] = {}
    for figure in figures:
        bars[figure.name] = figure.value, MET
        bars[f"{figure.name}, {_other(figure)}"] = figure.beside or 0.0, OTHER
    plot, axes = _axes(len(bars))
    values, colours = zip(*bars.values(), strict=True)
    axes.barh(range(len(bars)), values, color=colours, tick_label=list(bars))
    axes.set_xlabel(figures[0].unit)
    return _save(plot, folder, name)


def _other(figure: Figure) -> str:
    """What is beside a figure, without the unit."""
    return figure.other.rpartition(", ")[2]


def _axes(bars: int) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(STYLE)
    from matplotlib import pyplot

    plot, axes = pyplot.subplots(figsize=(8, 0.8 + 0.17 * bars), layout="constrained")
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.margins(y=0.01)
    return plot, axes


def _save(plot: Any, folder: Path, name: str) -> str:
    from matplotlib import pyplot

    file = folder / f"performance-{name}.svg"
    plot.savefig(file, metadata={"Date": None, "Creator": None})
    pyplot.close(plot)
    return file.name
