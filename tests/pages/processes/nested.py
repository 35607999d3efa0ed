"""A process whose inputs are made of others."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, TypedDict

from geomill.processes import About, Geometry, process


class Window(TypedDict, total=False):
    """A part of an image."""

    left: Annotated[int, About("Left")]
    top: Annotated[int, About("Top")]


class _Band(TypedDict):
    name: Annotated[str, About("Name")]
    kind: Annotated[Literal["optical", "radar"], About("Kind")]


class Band(_Band, total=False):
    """A band, perhaps a part of it."""

    window: Annotated[Window, About("Window")]
    weights: Annotated[list[float], About("Weights")]


@process(title="Nested")
def nested(
    bands: Annotated[list[Band], About("Bands", min_items=1)],
    threshold: Annotated[float | Literal["otsu"], About("Threshold")],
    day: Annotated[datetime.date | None, About("Day")] = None,
    moment: Annotated[datetime.datetime | None, About("Moment")] = None,
    smooth: Annotated[bool, About("Smooth it")] = True,
    area: Annotated[Geometry | None, About("Area")] = None,
    options: Annotated[dict[str, float] | None, About("Options")] = None,
    colours: Annotated[list[Literal["red", "green", "blue"]] | None, About("Colours", unique_items=True)] = None,
) -> dict[str, Any]:
    """Give back the number of bands."""
    return {"bands": len(bands)}
