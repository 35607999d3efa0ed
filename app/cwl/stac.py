"""A STAC catalog among the results of a job: its items as one collection, which is named after the job.

Addresses are paths from the folder of the catalog; where they are published is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geomill.app.exchange.addresses import beside
from geomill.app.exchange.strictjson import loads

Json = Any

CATALOG = "catalog.json"
LARGEST = 1 << 24  # bytes of a document in a catalog, and of all items that are shown at once
TITLE = "Processing results"
GEOJSON, JSON = "application/geo+json", "application/json"
_OWN = ("collection", "root", "self", "parent")  # what is said anew of each item


def feature_collection(folder: Path, job_id: str) -> dict[str, Json] | None:
    """The items of the catalog in a folder, in its order; None for no catalog, and for one of too many items.

    Items that belong to no collection get one, whose document is written into the folder.
    """
    catalog = _document(folder / CATALOG)
    if catalog is None or catalog.get("type", "Catalog") not in ("Catalog", "Collection"):
        return None
    place = "collection.json" if not (folder / "collection.json").exists() else f"{job_id}.json"
    found = [_feature(item, path, parent, (job_id, place)) for item, path, parent in _items(folder)]
    of_job = [item for item in found if item["collection"] == job_id]
    if of_job:
        made = _collection(job_id, str(catalog.get("stac_version") or "1.0.0"), of_job)
        (folder / place).write_text(json.dumps(made, indent=2))
    collection = {"type": "FeatureCollection", "features": found, "id": job_id}
    return collection if len(json.dumps(collection)) <= LARGEST else None


Parent = tuple[str, str] | None  # of the collection that an item is in: its id, its path


def _items(root: Path) -> Iterator[tuple[dict[str, Json], str, Parent]]:
    """(item, its path, its collection) of what is below the catalog, in its order, each once."""
    waiting: list[tuple[str, Parent]] = [(CATALOG, None)]
    seen: set[str] = set()
    while waiting:
        path, parent = waiting.pop()
        document = _document(root / path) if path not in seen else None
        seen.add(path)
        if document is None:
            continue
        if document.get("type") == "Feature":
            yield document, path, parent
            continue
        own = (str(document["id"]), path) if document.get("type") == "Collection" and "id" in document else None
        below = [link.get("href") for link in _links(document) if link.get("rel") in ("item", "child")]
        targets = [beside(path, href) for href in reversed(below)]
        waiting += [(target, own) for target in targets if target is not None]


def _feature(item: dict[str, Json], path: str, parent: Parent, of_job: tuple[str, str]) -> dict[str, Json]:
    """An item as part of the results. of_job: the collection of those that are in none."""
    name, place = parent or of_job
    links = [
        _link("collection", place, JSON, TITLE if parent is None else None),
        _link("root", CATALOG, JSON),
        _link("self", path, JSON),
        _link("parent", place, JSON, TITLE if parent is None else None),
    ]
    assets = item["assets"] if isinstance(item.get("assets"), dict) else {}
    return {
        **item,
        "links": links + [_placed(link, path) for link in _links(item) if link.get("rel") not in _OWN],
        "assets": {key: _placed(asset, path) for key, asset in assets.items() if isinstance(asset, dict)},
        "collection": name,
    }


def _collection(name: str, version: str, items: list[dict[str, Json]]) -> dict[str, Json]:
    """A STAC Collection of items. Source: STAC 1.0.0, collection-spec.md"""
    boxes = [box for item in items if (box := _box(item.get("bbox")))]
    times = sorted(str(time) for item in items for time in _times(item))
    whole = [min(box[0] for box in boxes), min(box[1] for box in boxes), max(box[2] for box in boxes),
             max(box[3] for box in boxes)] if boxes else [-180, -90, 180, 90]  # fmt: skip
    addresses = [next(link["href"] for link in item["links"] if link["rel"] == "self") for item in items]
    return {
        "type": "Collection",
        "stac_version": version,
        "id": name,
        "title": TITLE,
        "description": TITLE,
        "license": "proprietary",
        "extent": {
            "spatial": {"bbox": [whole]},
            "temporal": {"interval": [[times[0], times[-1]] if times else [None, None]]},
        },
        "links": [_link("root", CATALOG, JSON), *(_link("item", address, JSON) for address in addresses)],
    }


def _box(bbox: Json) -> list[float] | None:
    """[west, south, east, north] of a box, which may have heights."""
    if not isinstance(bbox, list) or len(bbox) not in (4, 6) or not all(isinstance(each, int | float) for each in bbox):
        return None
    half = len(bbox) // 2
    return [*bbox[:2], *bbox[half : half + 2]]


def _times(item: Mapping[str, Json]) -> list[str]:
    properties = item["properties"] if isinstance(item.get("properties"), dict) else {}
    return [properties[name] for name in ("datetime", "start_datetime", "end_datetime") if properties.get(name)]


def _placed(part: Mapping[str, Json], document: str) -> dict[str, Json]:
    """A link or an asset of a document, its address from the folder."""
    place = beside(document, part.get("href"))
    return dict(part) if place is None else {**part, "href": place}


def _link(rel: str, href: str, media_type: str, title: str | None = None) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media_type, **({"title": title} if title else {})}


def _links(document: Mapping[str, Json]) -> list[dict[str, Json]]:
    found = document.get("links")
    return [link for link in found if isinstance(link, dict)] if isinstance(found, list) else []


def _document(path: Path) -> dict[str, Json] | None:
    """What a file of the catalog says; None where it is none, or is too large to be one."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        document = loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
