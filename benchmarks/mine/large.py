"""Gives a large file."""

from pathlib import Path
from typing import Annotated

from geomill.processes import File, process


@process
def large(megabytes: int) -> Annotated[Path, File("Nothing, and much of it", "application/octet-stream")]:
    """A file of so many megabytes."""
    path = Path("large.bin")
    with path.open("wb") as file:
        for number in range(megabytes):
            file.write(number.to_bytes(4, "big") * 250_000)
    return path
