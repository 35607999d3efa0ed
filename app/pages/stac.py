"""STAC documents as people look at them: items with their assets, catalogs and collections with what is below them.

Pure: where addresses in a document lead, and what is in another file, the caller knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from geomill.app.exchange.addresses import beside
from geomill.app.exchange.media_types import of_name
from geomill.app.pages import trees
from geomill.app.pages.kinds import COLUMNS, ROWS, Table, address, cell, is_geotiff, mapping

ASSETS = 50  # of an item
NODES = 200  # of a tree
DEEPEST = 6
PROPERTIES = 60  # values that are shown of an item
LESSER = {"thumbnail", "overview", "metadata"}  # roles of what is not the thing itself
BELOW = ("child", "item")  # relations of links


@dataclass(frozen=True)
class Place:
    """Where an address leads. path: among the published files; href: that a link may have; size: bytes."""

    path: str | None = None
    href: str | None = None
    size: int | None = None


Where = Callable[[str, Any], Place]  # the path of a document, an address in it


@dataclass(frozen=True)
class Asset:
    """A file of an item, or of a collection."""

    key: str
    title: str
    media_type: str
    roles: tuple[str, ...]
    place: Place

    @property
    def is_raster(self) -> bool:
        """Whether there may be a picture of it."""
        return self.place.path is not None and is_geotiff(self.media_type, self.place.path)


@dataclass(frozen=True)
class Item:
    """properties: as a tree; left: how many assets are not among these."""

    id: str
    time: str
    assets: tuple[Asset, ...]
    left: int
    properties: Any
    place: Place

    @property
    def raster(self) -> Asset | None:
        """The asset to look at first."""
        rasters = [each for each in self.assets if each.is_raster]
        return next((each for each in rasters if not LESSER.intersection(each.roles)), next(iter(rasters), None))


@dataclass
class Node:
    """A catalog, a collection or an item in a tree. kind: which; left: how many below it are not shown."""

    kind: str
    name: str
    place: Place = field(default_factory=Place)
    text: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    assets: tuple[Asset, ...] = ()
    below: list[Node] = field(default_factory=list)
    left: int = 0


def item(value: Mapping[str, Any], document: str, where: Where) -> Item:
    """An item. document: the path that its addresses start from."""
    properties = mapping(value.get("properties"))
    found = tuple(_assets(value, document, where))
    own = next((each.get("href") for each in _links(value) if each.get("rel") == "self"), None)
    return Item(
        id=cell(value.get("id")),
        time=_time(properties),
        assets=found[:ASSETS],
        left=max(0, len(found) - ASSETS),
        properties=trees.bounded(dict(properties), PROPERTIES),
        place=where(document, own),
    )


def table(items: list[Item], number: int) -> Table:
    """Items in rows: their ids, times and assets, the last as (name, type, address)."""
    rows: list[list[Any]] = [
        [each.id, each.time, [(asset.title or asset.key, asset.media_type, asset.place.href) for asset in each.assets]]
        for each in items[:ROWS]
    ]
    return Table(["item", "time", "assets"], rows, number)


def tree(value: Mapping[str, Any], document: str, where: Where, read: Callable[[str], Any]) -> Node:
    """A catalog or a collection with what is below it. read: the JSON in a published file; None where there is none."""
    return _Growing(where, read).node(value, Place(document or None), document, 0)


class _Growing:
    """A tree being made, of so many nodes in all."""

    def __init__(self, where: Where, read: Callable[[str], Any]) -> None:
        self.where, self.read = where, read
        self.room, self.seen = NODES, set[str]()

    def node(self, value: Mapping[str, Any], place: Place, document: str, depth: int) -> Node:
        kind = "Item" if value.get("type") == "Feature" else cell(value.get("type") or "Catalog")
        found = Node(kind, cell(value.get("title") or value.get("id")), place, cell(value.get("description")))
        found.facts = {name: text for name, text in _facts(value) if text}
        found.assets = tuple(_assets(value, document, self.where))[:COLUMNS]
        self.seen.add(document)
        links = [each for each in _links(value) if each.get("rel") in BELOW]
        for link in links:
            if self.room <= 0 or depth == DEEPEST:
                break
            self.room -= 1
            found.below.append(self._below(link, document, depth + 1))
        found.left = len(links) - len(found.below)
        return found

    def _below(self, link: Mapping[str, Any], document: str, depth: int) -> Node:
        place = self.where(document, link.get("href"))
        name = cell(link.get("title") or link.get("href"))
        value = self.read(place.path) if place.path and place.path not in self.seen else None
        if not isinstance(value, Mapping):
            return Node("Item" if link.get("rel") == "item" else "Catalog", name, place)
        return self.node(value, place, place.path or "", depth)


def _facts(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What there is to say of a collection, or of an item."""
    extent = mapping(value.get("extent"))
    boxes, intervals = mapping(extent.get("spatial")).get("bbox"), mapping(extent.get("temporal")).get("interval")
    yield "license", cell(value.get("license"))
    if isinstance(boxes, list) and boxes and isinstance(boxes[0], list):
        yield "extent", ", ".join(map(cell, boxes[0][:6]))
    if isinstance(intervals, list) and intervals and isinstance(intervals[0], list):
        yield "time", " to ".join(cell(each) or "open" for each in intervals[0][:2])
    if value.get("type") == "Feature":
        yield "time", _time(mapping(value.get("properties")))


def _time(properties: Mapping[str, Any]) -> str:
    start, end = cell(properties.get("start_datetime")), cell(properties.get("end_datetime"))
    return cell(properties.get("datetime")) or (f"{start} to {end}" if start and end else start)


def _assets(value: Mapping[str, Any], document: str, where: Where) -> Iterator[Asset]:
    for key, each in mapping(value.get("assets")).items():
        if not isinstance(each, Mapping):
            continue
        roles = each.get("roles")
        place = where(document, each.get("href"))
        media_type = cell(each.get("type")) or (of_name(place.path or place.href or "") if place.href else "")
        named = tuple(map(cell, roles[:6])) if isinstance(roles, list) else ()
        yield Asset(cell(key), cell(each.get("title")), media_type, named, place)


def _links(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    links = value.get("links")
    return [each for each in links if isinstance(each, Mapping)] if isinstance(links, list) else []


def where(files: Mapping[str, int | None], at: Callable[[str], str]) -> Where:
    """What knows where addresses lead. files: the sizes of what was published, by path; at: the address of one."""

    def place(document: str, href: Any) -> Place:
        for path in (f"{document}{href}" if document.endswith("/") else None, beside(document, href)):
            if path in files:
                return Place(path, at(str(path)), files[str(path)])
        return Place(None, address(href))

    return place
