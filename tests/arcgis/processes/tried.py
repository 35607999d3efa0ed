"""Processes that take and give every kind of parameter."""

import datetime
import json
import time
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from geomill.processes import About, BadInput, File, Geometry, Progress, process

FeatureCollection = Annotated[dict[str, Any], About(format="geojson-feature-collection")]
Scene = Annotated[Path, File("A scene", "image/tiff; application=geotiff")]
Table = Annotated[Path, File("A table", "text/csv")]


@process
def kinds(
    text: str,
    whole: Annotated[int, About("A whole number", "From one to ten.", minimum=1, maximum=10)] = 5,
    number: float = 0.5,
    flag: bool = False,
    moment: datetime.datetime | None = None,
    day: datetime.date | None = None,
    colour: Literal["red", "green"] = "red",
    numbers: list[float] | None = None,
    texts: list[str] | None = None,
    record: dict[str, Any] | None = None,
    f: str = "the letter",
) -> TypedDict(
    "Kinds",
    {
        "said": dict,
        "when": datetime.datetime,
        "first-day": datetime.date,
        "text": str,
        "sums": list[float],
        "truth": bool,
    },
):
    """Take every kind of value."""
    said = {
        "text": text,
        "whole": whole,
        "number": number,
        "flag": flag,
        "moment": moment.isoformat() if moment else None,
        "day": day.isoformat() if day else None,
        "colour": colour,
        "numbers": numbers,
        "texts": texts,
        "record": record,
        "f": f,
    }
    when = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
    return {
        "said": said,
        "when": when,
        "first-day": when.date(),
        "text": text,
        "sums": [1.5, 2.5],
        "truth": True,
    }


@process
def same(features: FeatureCollection) -> FeatureCollection:
    """Give back features."""
    return features


@process
def mixed() -> FeatureCollection:
    """Give features of several kinds, which no feature set can be."""
    shapes = [{"type": "Point", "coordinates": [8, 47]}, {"type": "LineString", "coordinates": [[8, 47], [9, 47]]}]
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": each, "properties": {}} for each in shapes],
    }


@process
def scene(text: str = "x") -> TypedDict("Scenes", {"scene": Scene, "tables": list[Table]}):
    """Give files."""
    Path("scene.tif").write_text(text)
    for name in ("a.csv", "b.csv"):
        Path(name).write_text(name)
    return {"scene": Path("scene.tif"), "tables": [Path("a.csv"), Path("b.csv")]}


@process
def measure(table: Table) -> int:
    """Measure a file."""
    return len(table.read_text())


@process
def shapeless(geometry: Geometry) -> str:
    """Name the kind of a geometry."""
    return str(geometry["type"])


@process
def brief(seconds: float = 0.02) -> float:
    """End soon."""
    time.sleep(seconds)
    return seconds


@process
def endless(progress: Progress) -> int:
    """Go on for ever."""
    progress(40, "halfway, nearly")
    print("a line of the log")
    while True:
        time.sleep(0.01)


@process(time_limit=0.3)
def limited() -> int:
    """Go on for too long."""
    while True:
        time.sleep(0.01)


@process
def failing(text: str) -> str:
    """Fail."""
    raise BadInput("text", f"{text} is no good")


@process(job_control=["async-execute", "dismiss"])
def later() -> int:
    """Only ever a job of its own."""
    return 1


@process
def talkative() -> int:
    """Say something, and fail."""
    print("what it said before")
    raise BadInput("nothing", "no more to say")


@process
def hollow(geometry: str) -> FeatureCollection:
    """Give a feature whose geometry is written so."""
    feature = {"type": "Feature", "geometry": json.loads(geometry), "properties": {"name": "none"}}
    return {"type": "FeatureCollection", "features": [feature]}
