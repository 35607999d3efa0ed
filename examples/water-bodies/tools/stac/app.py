"""Put water masks into a STAC catalogue, each under the id and the time of the item it was made from.

In the working directory: catalog.json, and for each item ID/ID.json with the mask beside it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import urlopen

import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform_geom

Json = dict[str, Any]

LONLAT = CRS.from_string("OGC:CRS84")
VERSION = "1.0.0"
PROJECTION = "https://stac-extensions.github.io/projection/v1.1.0/schema.json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
KINDS = [
    {"value": 0, "name": "land", "title": "land, or no data", "color_hint": "DEDED6"},
    {"value": 1, "name": "water", "title": "water", "color_hint": "1C6EDC"},
]
TIMES = ("datetime", "start_datetime", "end_datetime")
TIMEOUT = 60.0  # seconds without a byte
LARGEST_ITEM = 16 * 1024 * 1024  # bytes
LONGEST_WORDS = 500  # bytes of an answer that is no file


def main() -> None:
    """Read the command line and write the catalogue."""
    parser = argparse.ArgumentParser(prog="stac", description=__doc__)
    item = {"action": "append", "required": True}
    parser.add_argument("--input-item", **item, help="STAC item: URL, path, or folder with a catalog.json; repeatable")
    parser.add_argument("--water-body", **item, help="path of the mask of the item at the same position; repeatable")
    given = parser.parse_args()
    if len(given.input_item) != len(given.water_body):
        raise SystemExit(f"stac: {len(given.input_item)} items and {len(given.water_body)} masks: they go in pairs")
    folders: list[str] = []
    for reference, mask in zip(given.input_item, given.water_body, strict=True):
        source = read_item(reference)
        if source["id"] in folders:
            raise SystemExit(f"stac: --input-item: two items have the id {source['id']}: a catalogue has an id once")
        add(source, Path(mask))
        folders.append(source["id"])
    write(Path("catalog.json"), catalog(folders))
    say(f"wrote catalog.json of {', '.join(folders)}")


def say(sentence: str) -> None:
    """A line of the log."""
    print(f"stac: {sentence}", file=sys.stderr, flush=True)


def read_item(reference: str) -> Json:
    """A STAC item, by its URL, its path, or the path of a folder with a catalog.json."""
    place = reference if urlsplit(reference).scheme else Path(reference).absolute().as_uri()
    if place.startswith("file:") and Path(unquote(urlsplit(place).path)).is_dir():
        place = f"{place.rstrip('/')}/catalog.json"
        links = (link for link in read_json(place).get("links", []) if link.get("rel") == "item")
        if (link := next(links, None)) is None:
            raise SystemExit(f"stac: --input-item: {place} has no link to an item")
        place = urljoin(place, link["href"])
    item = read_json(place)
    if item.get("type") != "Feature" or not isinstance(item.get("properties"), dict):
        raise SystemExit(f"stac: --input-item: {place} is no STAC item, but of type {item.get('type')!r}")
    name = item.get("id")
    if not isinstance(name, str) or Path(name).name != name or "\0" in name or name in ("", "..", "catalog.json"):
        raise SystemExit(f"stac: --input-item: {place} has the id {name!r}, which cannot be the name of a folder")
    return item


def read_json(place: str) -> Json:
    """A JSON object."""
    if urlsplit(place).scheme not in ("http", "https", "file"):
        raise SystemExit(f"stac: --input-item: {place} cannot be read: only http, https and files are")
    try:
        with urlopen(place, timeout=TIMEOUT) as answer:
            content = answer.read(LARGEST_ITEM + 1)
            found = json.loads(content) if len(content) <= LARGEST_ITEM else None
    except HTTPError as error:
        raise SystemExit(f"stac: --input-item: {place} cannot be read: {told(error)}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SystemExit(f"stac: --input-item: {place} cannot be read: {reason}") from error
    if not isinstance(found, dict):
        raise SystemExit(f"stac: --input-item: {place} is no JSON object of at most {LARGEST_ITEM} bytes")
    return found


def told(error: HTTPError) -> str:
    """What a server answers instead of a file, in its own words where those are plain: a proxy says there why."""
    with error:
        plain = error.headers.get_content_type() == "text/plain"
        words = " ".join(error.read(LONGEST_WORDS).decode(errors="replace").split()) if plain else ""
        return f"HTTP {error.code} {error.reason}" + (f": {words}" if words else "")


def add(source: Json, mask: Path) -> None:
    """Write the folder of an item: its mask and its description."""
    folder = Path(source["id"])
    folder.mkdir()
    shutil.copyfile(mask, folder / mask.name)
    try:
        with rasterio.open(folder / mask.name, driver="GTiff") as dataset:
            write(folder / f"{folder}.json", describe(dataset, source, mask.name))
    except RasterioError as error:
        raise SystemExit(f"stac: --water-body: {mask} cannot be read: {error}") from error
    say(f"wrote {folder}/{folder}.json and {folder}/{mask.name}")


def describe(dataset: Any, source: Json, href: str) -> Json:
    """The STAC item of a mask."""
    if dataset.crs is None:
        raise SystemExit(f"stac: --water-body: {href} of {source['id']} has no coordinate reference system")
    outline = polygon(*dataset.bounds)
    geometry = transform_geom(dataset.crs, LONLAT, outline)
    times = {name: source["properties"][name] for name in TIMES if name in source["properties"]}
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [PROJECTION, CLASSIFICATION],
        "id": source["id"],
        "geometry": geometry,
        "bbox": bounds(geometry),
        "properties": {
            "datetime": None,
            **times,
            "proj:epsg": dataset.crs.to_epsg(),
            "proj:wkt2": dataset.crs.to_wkt(version="WKT2_2019"),
            "proj:projjson": dataset.crs.to_dict(projjson=True),
            "proj:geometry": outline,
            "proj:bbox": list(dataset.bounds),
            "proj:shape": list(dataset.shape),
            "proj:transform": list(dataset.transform),
        },
        "links": [link("root", "../catalog.json"), link("parent", "../catalog.json")],
        "assets": {
            "data": {
                "href": href,
                "type": "image/tiff; application=geotiff",
                "title": "Water mask: 1 is water",
                "roles": ["data", "visual"],
                "classification:classes": KINDS,
            }
        },
    }


def polygon(west: float, south: float, east: float, north: float) -> Json:
    """A box, counter-clockwise."""
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def bounds(geometry: Json) -> list[float]:
    """West, south, east, north of a polygon; west > east where two polygons meet at the antimeridian."""
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    boxes = [[f(axis) for f in (min, max) for axis in zip(*part[0], strict=True)] for part in parts]
    wests, souths, easts, norths = zip(*boxes, strict=True)
    return [max(wests), min(souths), min(easts), max(norths)]


def catalog(items: list[str]) -> Json:
    """The catalogue: its links are relative, so that it may be moved as a whole."""
    links = [link("item", f"./{name}/{name}.json", "application/geo+json") for name in items]
    return {
        "type": "Catalog",
        "id": "catalog",
        "stac_version": VERSION,
        "description": "water-bodies",
        "links": [link("root", "./catalog.json"), *links],
    }


def link(rel: str, href: str, media_type: str = "application/json") -> Json:
    """A link."""
    return {"rel": rel, "href": href, "type": media_type}


def write(path: Path, document: Json) -> None:
    """Write a JSON document."""
    path.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
