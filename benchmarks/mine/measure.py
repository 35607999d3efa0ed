"""Says how large what it is given is."""

from pathlib import Path
from typing import Annotated, Any

from geomill.processes import About, File, process


@process
def weigh(data: Annotated[Path, File("Anything", "application/octet-stream")]) -> int:
    """Bytes of a file."""
    return data.stat().st_size


@process
def count(collection: Annotated[dict[str, Any], About("GeoJSON", format="geojson-feature-collection")]) -> int:
    """Features of a collection."""
    return len(collection["features"])
