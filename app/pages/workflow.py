"""A workflow as a picture: its inputs, steps and outputs in layers, each after all that it waits for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST = 60  # boxes; more are told in words alone
LONGEST = 18  # characters of a name in a box
WIDTH, HEIGHT = 148, 30  # of a box, in pixels
ACROSS, BETWEEN = 44, 12  # between layers, and between the boxes of one
MARGIN = 4
SWEEPS = 4  # over the layers, until lines cross little


@dataclass(frozen=True)
class Box:
    """An input, a step or an output. kind: "in", "step" or "out"; x, y: of its left upper corner."""

    name: str
    kind: str
    x: float
    y: float
    scatter: bool = False

    @property
    def label(self) -> str:
        """The name, as much of it as there is room for."""
        return self.name if len(self.name) <= LONGEST else f"{self.name[: LONGEST - 1]}\u2026"


@dataclass(frozen=True)
class Picture:
    """All boxes, and the lines between them as paths of SVG."""

    boxes: Sequence[Box]
    lines: Sequence[str]
    width: float
    height: float


def picture(graph: Mapping[str, Any]) -> Picture | None:
    """The picture of a workflow, as app.cwl.graph tells it; None for one with too many boxes."""
    pairs = list(dict.fromkeys((link["from"], link["to"]) for link in graph["links"]))
    linked = [name for pair in pairs for name in pair]
    names = list(dict.fromkeys([*(step["name"] for step in graph["steps"]), *linked]))
    if len(names) > MOST:
        return None
    layers = _layers(names, pairs)
    ways = {pair: _way(pair, layers) for pair in pairs}
    rows = _ordered(layers, [each for way in ways.values() for each in zip(way, way[1:], strict=False)])
    tallest = max(map(len, rows), default=0)
    places: dict[str, tuple[float, float]] = {}
    for column, row in enumerate(rows):
        top = MARGIN + (tallest - len(row)) * (HEIGHT + BETWEEN) / 2
        for place, name in enumerate(row):
            places[name] = MARGIN + column * (WIDTH + ACROSS), top + place * (HEIGHT + BETWEEN)
    scatters = {step["name"]: step["scatter"] for step in graph["steps"]}
    boxes = [_box(name, *places[name], scatters.get(name, False)) for name in names]
    lines = [_line([places[name] for name in way]) for way in ways.values()]
    width = 2 * MARGIN + len(rows) * (WIDTH + ACROSS) - ACROSS
    return Picture(boxes, lines, width, 2 * MARGIN + tallest * (HEIGHT + BETWEEN) - BETWEEN)


def _box(name: str, x: float, y: float, scatter: bool) -> Box:
    kind, _, rest = name.partition(":")
    return Box(rest, kind, x, y) if kind in ("in", "out") and rest else Box(name, "step", x, y, scatter)


def _way(pair: tuple[str, str], layers: dict[str, int]) -> list[str]:
    """What a line leads by: in each layer between its ends a place of its own, which is added to the layers."""
    begin, end = pair
    between = {f"{begin}\0{end}\0{layer}": layer for layer in range(layers[begin] + 1, layers[end])}
    layers.update(between)
    return [begin, *between, end]


def words(graph: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Each step in order, and where its inputs come from: steps and inputs of the workflow."""
    found: dict[str, list[str]] = {step["name"]: [] for step in graph["steps"]}
    for link in graph["links"]:
        source = link["from"].removeprefix("in:")
        if source not in found.get(link["to"], [source]):
            found[link["to"]].append(source)
    return list(found.items())


def _layers(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The layer of each box: the one after the last that it waits for; outputs are together in the last."""
    layers = dict.fromkeys(names, 0)
    for _ in names:  # the longest way has no more links than there are boxes
        later = {name: max((layers[begin] + 1 for begin, end in pairs if end == name), default=0) for name in names}
        if later == layers:
            break
        layers = later
    steps = [layer for name, layer in layers.items() if not name.startswith("out:")]
    last = max(steps, default=0) + 1
    return {name: last if name.startswith("out:") else layer for name, layer in layers.items()}


def _ordered(layers: Mapping[str, int], pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The boxes of each layer, each near the middle of those it is linked to."""
    rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for name, layer in layers.items():
        rows[layer].append(name)
    near: dict[str, list[str]] = {name: [] for name in layers}
    for begin, end in pairs:
        near[begin].append(end)
        near[end].append(begin)
    for sweep in range(SWEEPS):
        places = {name: place - len(row) / 2 for row in rows for place, name in enumerate(row)}
        for row in rows if sweep % 2 == 0 else reversed(rows):
            row.sort(key=lambda name: sum(places[each] for each in near[name]) / max(1, len(near[name])))  # noqa: B023
            places.update((name, place - len(row) / 2) for place, name in enumerate(row))
    return [row for row in rows if row]


def _line(places: Sequence[tuple[float, float]]) -> str:
    """A path by these places, of which the first and the last are boxes."""
    x, y = places[0]
    path, bend = f"M{x + WIDTH:g} {y + HEIGHT / 2:g}", ACROSS / 2
    before = y + HEIGHT / 2
    for number, (x, y) in enumerate(places[1:], 2):
        after = y + HEIGHT / 2
        path += f"C{x - bend:g} {before:g} {x - bend:g} {after:g} {x:g} {after:g}"
        if number < len(places):
            path += f"H{x + WIDTH:g}"
        before = after
    return path
