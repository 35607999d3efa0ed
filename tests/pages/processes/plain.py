"""Cheap processes for the tests of pages: one is quick, one fails, one goes on, one writes files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from geomill.processes import About, BBox, File, Geometry, Progress, process

SQUARE = [[[-75.64, 37.65], [-75.60, 37.65], [-75.60, 37.69], [-75.64, 37.69], [-75.64, 37.65]]]


@process(title="Add", keywords=["numbers"])
def add(
    a: Annotated[int, About("First number", minimum=0, maximum=1000)],
    b: Annotated[int, About("Second number")] = 1,
    times: Annotated[float, About("Factor", exclusive_minimum=0)] = 1.0,
    note: Annotated[str, About("A note", "It goes to the log.")] = "",
) -> Annotated[float, About("The sum")]:
    """Add two numbers.

    Nothing is cheaper.
    """
    print(f"adding {a} and {b}: {note}")
    return (a + b) * times


@process(title="Fail")
def fail(words: Annotated[str, About("What to say")] = "band 'swir' is not in this item") -> int:
    """Fail with a traceback, after some lines of log."""
    for number in range(30):
        print(f"reading line {number}")
    raise ValueError(words)


@process(title="Go on")
def go_on(
    progress: Progress,
    seconds: Annotated[float, About("Seconds", minimum=0, maximum=3600)] = 600,
    percent: Annotated[int, About("Per cent done", minimum=0, maximum=100)] = 40,
) -> int:
    """Say how far it is, and wait for longer than any test."""
    progress(percent, "waiting for the end")
    time.sleep(seconds)
    return 1


@process(title="Go on alone", max_running=1)
def alone(progress: Progress) -> int:
    """Go on, one job at a time: the next one waits."""
    return go_on(progress)


class Files(TypedDict):
    """Files of several kinds, and values."""

    areas: Annotated[Path, File("Areas", "application/geo+json")]
    table: Annotated[Path, File("Table", "text/csv")]
    text: Annotated[Path, File("Text", "text/plain")]
    statistics: Annotated[dict, About("Statistics")]


@process(title="Write files", keywords=["files"])
def write(
    area: Annotated[BBox | None, About("Area")] = None,
    shape: Annotated[Geometry | None, About("Shape")] = None,
    colour: Annotated[Literal["red", "green", "blue"], About("Colour")] = "red",
    count: Annotated[int, About("Features", minimum=1, maximum=1000)] = 3,
) -> Files:
    """Write files of several kinds."""
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"area {number}", "colour": colour, "number": number},
            "geometry": {"type": "Polygon", "coordinates": SQUARE},
        }
        for number in range(count)
    ]
    Path("areas.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    Path("table.csv").write_text("name,number\n" + "".join(f"area {number},{number}\n" for number in range(count)))
    Path("text.txt").write_text("hello\n")
    statistics = {"count": count, "mean": 0.0101, "share": 0.564}
    return Files(areas=Path("areas.geojson"), table=Path("table.csv"), text=Path("text.txt"), statistics=statistics)
