"""Where on earth the inputs of a form lie, for a map to begin there: as far as they say so themselves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from geomill.app.exchange.formats import CRS84
from geomill.app.pages.form.fields import is_number

Json = Any
BBox = list[float]  # west, south, east, north; west > east across the antimeridian

MOST = 2  # documents that are fetched
DEGREES = (*CRS84, "CRS84", "CRS84h")


def find(inputs: Mapping[str, Json], fetch: Callable[[str], Json]) -> tuple[str, BBox] | None:
    """The first input that says where it lies, and where; else the first whose document does.

    fetch: gives the document of an address, None for what cannot be had.
    """
    for name, value in inputs.items():
        if found := extent(value):
            return name, found
    linked = [(name, href) for name, value in inputs.items() for href in _addresses(value)]
    for name, href in linked[:MOST]:
        if found := extent(fetch(href)):
            return name, found
    return None


def examples(described: Mapping[str, Any]) -> dict[str, Json]:
    """The values that inputs are described with as examples."""
    schemas = {name: each["schema"] for name, each in described.items() if isinstance(each.get("schema"), dict)}
    return {name: [schema.get("example"), schema.get("examples")] for name, schema in schemas.items()}


def extent(value: Json) -> BBox | None:
    """Where a value lies: a box, GeoJSON, an item of STAC, or the first of a list that is one of them."""
    if isinstance(value, list):
        return next(filter(None, map(extent, value)), None)
    if not isinstance(value, dict):
        return None
    if set(value) == {"value"}:
        return extent(value["value"])
    if value.get("crs", CRS84[0]) not in DEGREES:  # GeoJSON of old had a member of that name, too
        return None
    stated = value.get("bbox")
    if isinstance(stated, list) and len(stated) in (4, 6):
        west, south, east, north = stated[0], stated[1], stated[len(stated) // 2], stated[len(stated) // 2 + 1]
        return _on_earth([west, south, east, north])
    places = list(_places(value))
    if not places:
        return None
    lons, lats = zip(*places, strict=True)
    return _on_earth([min(lons), min(lats), max(lons), max(lats)])


def _on_earth(box: list[Json]) -> BBox | None:
    """A box of degrees; None for one of anything else."""
    if not all(map(is_number, box)) or not box[1] <= box[3]:
        return None
    return box if all(abs(lon) <= 180 for lon in box[::2]) and all(abs(lat) <= 90 for lat in box[1::2]) else None


def _places(part: Json) -> Iterator[tuple[float, float]]:
    """All positions of a geometry, a feature or a collection."""
    if isinstance(part, list):
        if len(part) > 1 and all(map(is_number, part[:2])):
            yield part[0], part[1]
        else:
            for each in part:
                yield from _places(each)
    elif isinstance(part, dict):
        for name in ("coordinates", "geometry", "geometries", "features"):
            yield from _places(part.get(name))


def _addresses(value: Json) -> Iterator[str]:
    """The addresses that an input is, or holds where a document would stand."""
    if isinstance(value, list):
        for each in value:
            yield from _addresses(each)
    elif isinstance(value, dict):
        yield from _addresses(value.get("href"))
    elif isinstance(value, str) and value.strip().startswith(("https://", "http://")):
        yield value.strip()
