"""What a value or a file is, to show it: by its content as far as it is read, else by its media type. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from geomill.app.exchange.media_types import essence, is_json, is_text
from geomill.app.exchange.strictjson import loads
from geomill.app.exchange.wording import number
from geomill.app.pages import trees

ROWS, COLUMNS = 100, 24  # of a table
LETTERS = 300  # of a cell
TEXT = 10_000  # letters of a text
LINES = 40
NODES = 300  # of a tree
LEFT_OUT = "..."
GEOTIFF, GEOJSON, STAC, CATALOG = "geotiff", "geojson", "stac", "catalog"
IMAGES = {"image/png", "image/jpeg", "image/webp", "image/gif", "image/svg+xml"}
GEOMETRIES = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
TABLES = {"text/csv": ",", "text/tab-separated-values": "\t"}


@dataclass(frozen=True)
class Table:
    """Rows of cells, perhaps not all. number: of all rows, None where nobody has counted them."""

    columns: list[str]
    rows: list[list[Any]]
    number: int | None


@dataclass(frozen=True)
class Shown:
    """How something is shown. kind: the macro of results_of_job.html; content: what that takes, of STAC the document.

    cut: there is more of it than is shown.
    """

    kind: str
    content: Any = None
    cut: bool = False
    table: Table | None = None


def of_value(value: Any) -> Shown:
    """A value that JSON can say."""
    if value is None or isinstance(value, bool | int | float):
        return Shown("scalar", json.dumps(value) if value is None or isinstance(value, bool) else value)
    if isinstance(value, str):
        return Shown("text" if "\n" in value or len(value) > LETTERS else "scalar", value[:TEXT], len(value) > TEXT)
    features = _features(value)
    if features is not None:
        if features and isinstance(features[0], Mapping) and "stac_version" in features[0]:
            return Shown(STAC, value)
        return Shown(GEOJSON, table=_properties(features))
    if isinstance(value, Mapping) and _is_catalog(value):
        return Shown(CATALOG, value)
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value[:ROWS]):
        return Shown("table", table=_records(value, len(value)))
    if isinstance(value, list) and not any(isinstance(each, Mapping | list) for each in value[:LETTERS]):
        text = json.dumps(value[:LETTERS], ensure_ascii=False)
        return Shown("scalar", text[:LETTERS], len(value) > LETTERS or len(text) > LETTERS)
    return Shown("tree", trees.bounded(value, NODES))


def of_file(media_type: str, name: str, head: bytes | None, size: int) -> Shown:
    """A file. head: its content, or how it begins, where its kind is one that is read; size: bytes of all of it."""
    kind, whole = essence(media_type), head is not None and len(head) == size
    if is_geotiff(media_type, name):
        return Shown(GEOTIFF)
    if kind in IMAGES:
        return Shown("image")
    if kind == "application/geo+json" and not whole:
        return Shown(GEOJSON)
    if head is None or b"\0" in head:
        return Shown("file")
    text = head.decode("utf-8-sig", errors="ignore" if not whole else "replace")
    if _is_json(kind, name):
        try:
            return of_value(loads(head)) if whole else Shown("text", *_lines(text, whole))
        except (ValueError, RecursionError):
            return Shown("text", *_lines(text, whole))
    if delimiter := TABLES.get(kind) or ("," if name.endswith(".csv") else ""):
        table = _csv(text, delimiter, whole)
        return Shown("table", table=table, cut=table.number is None) if table else Shown("text", *_lines(text, whole))
    return Shown("text", *_lines(text, whole))


def is_geotiff(media_type: str, name: str) -> bool:
    """Whether a file may be one: whoever draws it finds out."""
    return essence(media_type) == "image/tiff" or name.lower().endswith((".tif", ".tiff"))


def is_read(media_type: str, name: str) -> bool:
    """Whether a file is one whose beginning is shown."""
    kind = essence(media_type)
    return is_text(kind) or _is_json(kind, name) or kind in TABLES or kind in ("application/xml", "application/yaml")


def _is_json(kind: str, name: str) -> bool:
    return is_json(kind) or name.lower().endswith((".json", ".geojson"))


def _is_catalog(value: Mapping[str, Any]) -> bool:
    """Whether a document is a catalog or a collection of STAC."""
    named = isinstance(value.get("stac_version"), str) and isinstance(value.get("links"), list)
    return named and value.get("type", "Catalog") in ("Catalog", "Collection")


def _features(value: Any) -> list[Any] | None:
    """What of a value can lie on a map; None where it is nothing of the kind."""
    if not isinstance(value, Mapping):
        return None
    kind = value.get("type")
    if kind == "FeatureCollection" and isinstance(value.get("features"), list):
        return list(value["features"])
    if kind == "Feature" and "geometry" in value:
        return [value]
    if isinstance(kind, str) and kind in GEOMETRIES and ("coordinates" in value or "geometries" in value):
        return [{"properties": {}, "geometry": value}]
    return None


def _properties(features: list[Any]) -> Table:
    """The properties of features; their ids, where they have such."""
    shown = [mapping(each) for each in features[:ROWS]]
    rows = [({"id": each["id"]} if "id" in each else {}) | dict(mapping(each.get("properties"))) for each in shown]
    return _records(rows, len(features))


def _records(records: Iterable[Any], number: int) -> Table:
    shown = list(records)[:ROWS]
    columns = list(dict.fromkeys(key for each in shown for key in each))[:COLUMNS]
    rows = [[cell(each.get(key)) for key in columns] for each in shown]
    return Table([cell(each) for each in columns], rows, number)


def _csv(text: str, delimiter: str, whole: bool) -> Table | None:
    """The first rows; of a file that was not read to its end, without the line that was cut."""
    lines = text.splitlines()
    lines = lines if whole else lines[:-1]
    try:
        read = list(csv.reader(io.StringIO("\n".join(lines[: ROWS + 1])), delimiter=delimiter))
    except csv.Error:
        return None
    if not read:
        return None
    columns = [cell(each) for each in read[0][:COLUMNS]]
    rows = [[cell(each) for each in row[:COLUMNS]] for row in read[1 : ROWS + 1]]
    return Table(columns, rows, len(lines) - 1 if whole else None)


def cell(value: Any) -> str:
    """A value as a cell of a table shows it."""
    if value is None:
        return ""
    if type(value) in (int, float):
        return number(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LETTERS else text[:LETTERS] + LEFT_OUT


def address(href: Any) -> str | None:
    """An address that a link may lead to."""
    return href if isinstance(href, str) and href.startswith(("http://", "https://")) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def _lines(text: str, whole: bool) -> tuple[str, bool]:
    lines = text[:TEXT].splitlines()
    return "\n".join(lines[:LINES]), not whole or len(text) > TEXT or len(lines) > LINES
