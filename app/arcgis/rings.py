"""Which rings of a polygon of Esri are holes of which: outer ones run clockwise, holes against the clock. Pure.

Source: Esri, "Geometry objects", Polygon (REST API).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

Position = list[float]
Ring = list[Position]
Box = tuple[float, float, float, float]  # west, east, south, north

MOST_STEPS = 1_000_000  # of a request: a box or a side of a ring that is looked at is one; together about 0.3 s
SAMPLE = 4  # corners of a hole that are looked at


class Steps:
    """What may still be done to find out what lies in what: one for all that a request gives."""

    def __init__(self, left: int = MOST_STEPS) -> None:
        """left: as in MOST_STEPS."""
        self.left = left

    def take(self, count: int) -> None:
        """Raises ValueError, worded to follow the name of what was given, where too few are left."""
        self.left -= count
        if self.left < 0:
            raise ValueError('has too many rings to find out which are holes of which; give it as {"url": an address}')


@dataclass(frozen=True)
class _Outer:
    ring: Ring
    size: float
    holes: list[Ring] = field(default_factory=list)

    @cached_property
    def box(self) -> Box:
        return _box(self.ring)


def polygons(rings: list[Ring], steps: Steps) -> list[list[Ring]]:
    """Polygons of closed rings: each an outer one and its holes, turned as GeoJSON has them. Raises ValueError.

    A hole in nothing is an outer ring by itself.
    """
    sizes = [clockwise(ring) for ring in rings]
    outers = [_Outer(ring, size) for ring, size in zip(rings, sizes, strict=True) if not size < 0]
    alone = []
    for hole in (ring for ring, size in zip(rings, sizes, strict=True) if size < 0):
        around = _around(hole, outers, steps)
        alone.append([hole]) if around is None else around.holes.append(hole[::-1])
    return [*([each.ring[::-1] if each.size > 0 else each.ring, *each.holes] for each in outers), *alone]


def clockwise(ring: Ring) -> float:
    """Twice the area of a ring, below 0 when it runs against the clock."""
    found, last = 0.0, ring[0]
    for corner in ring:
        found += (corner[0] - last[0]) * (corner[1] + last[1])
        last = corner
    return found


def _around(hole: Ring, outers: list[_Outer], steps: Steps) -> _Outer | None:
    """The ring that a hole is in: the one whose box has it, and of several such the smallest that is around it."""
    if len(outers) == 1:
        return outers[0]
    steps.take(len(outers))
    west, east, south, north = _box(hole)
    x, y = (west + east) / 2, (south + north) / 2
    near = [each for each in outers if each.box[0] <= x <= each.box[1] and each.box[2] <= y <= each.box[3]]
    if len(near) < 2:
        return near[0] if near else None
    sample = hole[:: max(1, len(hole) // SAMPLE)][:SAMPLE]
    steps.take(len(sample) * sum(len(each.ring) for each in near))
    inside = [(sum(_is_in(corner, each.ring) for corner in sample), each) for each in near]
    most = max(count for count, _ in inside)
    return min((each for count, each in inside if count == most), key=lambda each: each.size) if most else None


def _box(ring: Ring) -> Box:
    xs, ys = [each[0] for each in ring], [each[1] for each in ring]
    return min(xs), max(xs), min(ys), max(ys)


def _is_in(point: Position, ring: Ring) -> bool:
    """Whether a ray from a point to the east crosses a ring an odd number of times."""
    x, y = point[0], point[1]
    crossed, last = False, ring[-1]
    x1, y1 = last[0], last[1]
    for corner in ring:
        x2, y2 = corner[0], corner[1]
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            crossed = not crossed
        x1, y1 = x2, y2
    return crossed
