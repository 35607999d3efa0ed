"""Cut one band of a STAC item to an area of interest: crop_BAND.tif in the working directory.

The pixels come straight from where the item says they are; over HTTP only those that are needed, from a server that
gives parts of a file, and the whole file from one that does not.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window

Box = tuple[float, float, float, float]  # min x, min y, max x, max y

STRIP = 256  # rows held in memory at a time
TIMEOUT = 60.0  # seconds without a byte
LARGEST_ITEM = 16 * 1024 * 1024  # bytes
LONGEST_WORDS = 500  # bytes of an answer that is no file
LARGEST_FILE = 2 * 1024 * 1024 * 1024  # bytes, from a server that gives no part of it
PIECE = 1024 * 1024  # bytes
BUSY = (429, 503)  # GDAL tries again then
PICTURES = {"visual", "thumbnail", "overview"}  # roles of assets whose colours are stretched: no measurement
GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no question for files beside the one that is asked for
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 64,  # MB; without it, a share of the memory of the machine
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_TIMEOUT": "60",
    "GDAL_HTTP_MAX_RETRY": "3",
}


@dataclass(frozen=True)
class Band:
    """One band of an item. number: in the file of its asset, from 1."""

    name: str
    asset: str
    href: str
    number: int


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(prog="crop", description=__doc__)
    parser.add_argument("--input-item", required=True, help="STAC item: URL, path, or folder with a catalog.json")
    parser.add_argument("--aoi", required=True, help='area of interest: "minx,miny,maxx,maxy"')
    parser.add_argument("--epsg", default="EPSG:4326", help="coordinate reference system of the area; x comes first")
    parser.add_argument("--band", required=True, help="common name of the band, as in the item: green, nir, ...")
    # a value that begins with a minus sign is no option, which argparse sees by the space only
    given = parser.parse_args([re.sub(r"^(?=-[\d.])", " ", argument) for argument in sys.argv[1:]])
    area, crs = read_area(given.aoi), read_crs(given.epsg)
    item, place = read_item(given.input_item)
    band = find_band(item, place, given.band)
    say(f"item {item['id']}, asset {band.asset!r}: {band.href}")
    with rasterio.Env(**GDAL):
        try:
            with opened(band.href, place) as dataset:
                cut(dataset, band, area, crs, f"crop_{band.name}.tif")
        except (RasterioError, OSError) as error:
            raise SystemExit(f"crop: {band.href} cannot be read: {error}") from error


def say(sentence: str) -> None:
    """A line of the log."""
    print(f"crop: {sentence}", file=sys.stderr, flush=True)


def read_area(text: str) -> Box:
    """The area of interest."""
    try:
        west, south, east, north = (float(number) for number in text.split(","))
    except ValueError:
        raise SystemExit(f'crop: --aoi: expected four numbers "minx,miny,maxx,maxy", got {text.strip()!r}') from None
    if not all(map(math.isfinite, (west, south, east, north))) or west >= east or south >= north:
        raise SystemExit(f"crop: --aoi: {text.strip()} is no box: it needs minx < maxx and miny < maxy")
    return west, south, east, north


def read_crs(text: str) -> CRS:
    """The coordinate reference system of the area."""
    try:
        return CRS.from_user_input(text)
    except CRSError:
        raise SystemExit(f"crop: --epsg: {text!r} is no coordinate reference system; an example is EPSG:4326") from None


def read_item(reference: str) -> tuple[dict[str, Any], str]:
    """A STAC item and the URL it was found at, by its URL, its path, or the path of a folder with a catalog.json."""
    place = reference if urlsplit(reference).scheme else Path(reference).absolute().as_uri()
    if place.startswith("file:") and Path(unquote(urlsplit(place).path)).is_dir():
        catalog, place = read_json(f"{place.rstrip('/')}/catalog.json")
        links = (link for link in catalog.get("links", []) if link.get("rel") == "item")
        if (link := next(links, None)) is None:
            raise SystemExit(f"crop: --input-item: {place} has no link to an item")
        place = urljoin(place, link["href"])
    item, place = read_json(place)
    if item.get("type") != "Feature" or not isinstance(item.get("assets"), dict) or "id" not in item:
        raise SystemExit(f"crop: --input-item: {place} is no STAC item, but of type {item.get('type')!r}")
    return item, place


def read_json(place: str) -> tuple[dict[str, Any], str]:
    """A JSON object and the URL it was found at in the end."""
    if urlsplit(place).scheme not in ("http", "https", "file"):
        raise SystemExit(f"crop: --input-item: {place} cannot be read: only http, https and files are")
    try:
        with urlopen(place, timeout=TIMEOUT) as answer:
            content = answer.read(LARGEST_ITEM + 1)
            found = json.loads(content) if len(content) <= LARGEST_ITEM else None
            place = answer.url
    except HTTPError as error:
        raise SystemExit(f"crop: --input-item: {place} cannot be read: {told(error)}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SystemExit(f"crop: --input-item: {place} cannot be read: {reason}") from error
    if not isinstance(found, dict):
        raise SystemExit(f"crop: --input-item: {place} is no JSON object of at most {LARGEST_ITEM} bytes")
    return found, place


def told(error: HTTPError) -> str:
    """What a server answers instead of a file, in its own words where those are plain: a proxy says there why."""
    with error:
        plain = error.headers.get_content_type() == "text/plain"
        words = " ".join(error.read(LONGEST_WORDS).decode(errors="replace").split()) if plain else ""
        return f"HTTP {error.code} {error.reason}" + (f": {words}" if words else "")


def bands(item: dict[str, Any], place: str) -> Iterator[Band]:
    """The named bands of a STAC 1.0 or 1.1 item, those of assets with the role "data" first."""
    assets = [(key, asset) for key, asset in item["assets"].items() if PICTURES.isdisjoint(asset.get("roles") or ())]
    for key, asset in sorted(assets, key=lambda each: "data" not in (each[1].get("roles") or ())):
        for number, band in enumerate(asset.get("bands") or asset.get("eo:bands") or [asset], start=1):
            name = band.get("eo:common_name") or band.get("common_name") or asset.get("eo:common_name")
            if name:
                yield Band(name, key, urljoin(place, asset["href"]), number)


def find_band(item: dict[str, Any], place: str, name: str) -> Band:
    """The first band with this common name."""
    found = list(bands(item, place))
    if name not in (band.name for band in found):
        names = ", ".join(dict.fromkeys(band.name for band in found)) or "no band with a common name"
        raise SystemExit(f"crop: --band: item {item['id']} has no band {name!r}: it has {names}")
    if "/" in name:
        raise SystemExit(f"crop: --band: {name!r} cannot be part of a file name")
    return next(band for band in found if band.name == name)


@contextmanager
def opened(href: str, place: str) -> Iterator[Any]:
    """The dataset of an asset of the item at this place. An item from elsewhere is not let at the files here."""
    parts = urlsplit(href)
    driver = "JP2OpenJPEG" if parts.path.lower().endswith(".jp2") else "GTiff"  # no other: they refer to other files
    if parts.scheme in ("http", "https"):
        with readable(href) as path, rasterio.open(path, driver=driver) as dataset:
            yield dataset
        return
    if parts.scheme != "file" or not place.startswith("file:"):
        raise SystemExit(f"crop: {href} in item {place} cannot be read: only http and https are")
    path = Path(unquote(parts.path))
    if not path.is_file():
        raise SystemExit(f"crop: {href} is no file")
    with rasterio.open(path, driver=driver) as dataset:
        yield dataset


@contextmanager
def readable(href: str) -> Iterator[str]:
    """What GDAL opens for a file on the web: its address, or a copy where the server gives no part of it.

    GDAL asks for parts alone. RFC 9110, 14.2: a server may answer with the whole instead.
    """
    try:
        answer = urlopen(Request(href, headers={"Range": "bytes=0-0"}), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code not in BUSY:
            raise SystemExit(f"crop: {href} cannot be read: {told(error)}") from error
        error.close()
        yield f"/vsicurl/{href}"
        return
    with answer, tempfile.NamedTemporaryFile() as copy:
        if answer.status == 200:
            fetch(answer, copy, urlsplit(href).netloc, href)
        yield copy.name if answer.status == 200 else f"/vsicurl/{href}"


def fetch(answer: Any, copy: Any, host: str, href: str) -> None:
    """Put the whole of a file into a copy of it."""
    copied, size = 0, int(answer.headers.get("Content-Length") or 0)
    said = f"{host} does not answer Range requests"
    say(f"{said}: the whole file is fetched, {size or 'who knows how many'} bytes")
    while size <= LARGEST_FILE and (piece := answer.read(PIECE)):
        copied += copy.write(piece)
        size = max(size, copied)
    copy.flush()
    if size > LARGEST_FILE:
        raise SystemExit(
            f"crop: {href} cannot be read: {said}, and the file has more than {LARGEST_FILE} bytes: "
            "put it on a server that answers them, as nginx and object stores do"
        )
    if copied < size:
        raise SystemExit(f"crop: {href} cannot be read: {host} broke off after {copied} of {size} bytes")


def cut(dataset: Any, band: Band, area: Box, crs: CRS, path: str) -> None:
    """Write the smallest window of whole pixels over the area; pixels with their centre outside it have no data."""
    if dataset.crs is None or dataset.transform.b or dataset.transform.d:
        raise SystemExit(f"crop: {band.href} has no coordinate reference system, or a grid that is turned")
    if band.number > dataset.count:
        raise SystemExit(f"crop: {band.href} has {dataset.count} bands; band {band.number} was asked for")
    (column, columns), (row, rows) = spans(on_grid(area, crs, dataset, band), dataset)
    if not columns.any() or not rows.any():
        raise SystemExit(f"crop: the area of interest holds the centre of no pixel of asset {band.asset!r}")
    say(
        f"window of {len(columns)} x {len(rows)} pixels at column {column}, row {row} "
        f"of {dataset.width} x {dataset.height} in {dataset.crs}"
    )
    nodata = 0 if dataset.nodata is None else dataset.nodata
    profile = {
        "driver": "COG",
        "width": len(columns),
        "height": len(rows),
        "count": 1,
        "dtype": dataset.dtypes[band.number - 1],
        "crs": dataset.crs,
        "transform": dataset.window_transform(Window(column, row, len(columns), len(rows))),
        "nodata": nodata,
        "compress": "lzw",
        "blocksize": 256,
    }
    with rasterio.open(path, "w", **profile) as target:
        for start in range(0, len(rows), STRIP):
            inside = rows[start : start + STRIP]
            window = Window(column, row + start, len(columns), len(inside))
            values = dataset.read(band.number, window=window)
            values[~np.logical_and.outer(inside, columns)] = nodata
            target.write(values, 1, window=Window(0, start, len(columns), len(inside)))
    say(f"wrote {path}")


def on_grid(area: Box, crs: CRS, dataset: Any, band: Band) -> Box:
    """The area in the coordinate reference system of the grid: the box between its two corners.

    On a grid that is much turned against the area the corners alone would lose a part of it: where they are more
    than 5 % from the bounds of the whole outline, it is those.
    """
    covered = bounds_in(crs, dataset)
    if area[0] >= covered[2] or area[2] <= covered[0] or area[1] >= covered[3] or area[3] <= covered[1]:
        raise SystemExit(
            f"crop: the area of interest {written(area)} does not overlap asset {band.asset!r}, "
            f"which covers {written(covered)} in {crs.to_string()}"
        )
    # no farther than a width beyond the raster, where its projection may have no coordinates
    width, height = covered[2] - covered[0], covered[3] - covered[1]
    west, east = max(area[0], covered[0] - width), min(area[2], covered[2] + width)
    south, north = max(area[1], covered[1] - height), min(area[3], covered[3] + height)
    (x, xx), (y, yy) = transform(crs, dataset.crs, [west, east], [south, north])
    outline = transform_bounds(crs, dataset.crs, west, south, east, north)
    sides = (outline[2] - outline[0], outline[3] - outline[1]) * 2
    close = all(abs(a - b) <= 0.05 * side for a, b, side in zip((x, y, xx, yy), outline, sides, strict=True))
    return (x, y, xx, yy) if close else outline


def bounds_in(crs: CRS, dataset: Any) -> Box:
    """What a dataset covers; every longitude where it crosses the antimeridian."""
    west, south, east, north = transform_bounds(dataset.crs, crs, *dataset.bounds)
    return (west, south, east, north) if west <= east else (-180.0, south, 180.0, north)


def spans(box: Box, dataset: Any) -> list[tuple[int, np.ndarray]]:
    """First column and which columns have their centre in the box; the same for rows."""
    x, _, left, _, y, top = dataset.transform[:6]
    columns = sorted((edge - left) / x for edge in box[::2])
    rows = sorted((edge - top) / y for edge in box[1::2])
    found = []
    for (low, high), size in ((columns, dataset.width), (rows, dataset.height)):
        low, high = round(low, 6), round(high, 6)  # an edge of the box on an edge of the grid stays there
        start, stop = min(size, max(0, math.floor(low))), max(0, min(size, math.ceil(high)))
        centres = np.arange(start, stop) + 0.5
        found.append((start, (low <= centres) & (centres <= high)))
    return found


def written(box: Box) -> str:
    """A box as one reads it."""
    return ",".join(f"{number:.9g}" for number in box)


if __name__ == "__main__":
    main()
