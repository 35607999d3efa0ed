"""Values of `format`: those of text as checks, those of the standard's objects as schemas."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

CODES = re.compile(r"https?://www\.opengis\.net/def/format/ogcapi-processes/0/")
CRS84 = ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "http://www.opengis.net/def/crs/OGC/0/CRS84h")

_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_DURATION = re.compile(r"P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?!$)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_CRS = re.compile(
    r"https?://www\.opengis\.net/def/crs(/[\w.-]+){3}|urn:ogc:def:crs:\w+:[\w.]*:\w+|\[?(EPSG|OGC|ESRI|IAU):\w+\]?|CRS84h?",
    re.ASCII,
)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def short_code(schema: Mapping[str, Any]) -> str:
    """The format of a schema; the standard's own ones by their short code, whichever form was used."""
    return CODES.sub("", str(schema.get("format", "")))


def is_crs(text: str) -> bool:
    """Whether this names a coordinate reference system in a form that is in use: a URI, a URN or `EPSG:4326`."""
    return _CRS.fullmatch(text) is not None


def decode_base64(text: str) -> bytes:
    """The bytes of base64 text: line breaks allowed, either alphabet.

    Raises ValueError, worded to follow "must be base64".
    """
    try:
        compact = b"".join(text.encode("ascii").split()).translate(_URL_SAFE)
        return base64.b64decode(compact, validate=True)
    except UnicodeEncodeError as error:
        raise ValueError(f"; it has {text[error.start]!r} at character {error.start + 1}") from None
    except binascii.Error as error:
        raise ValueError(f" ({str(error)[:1].lower()}{str(error)[1:]})") from None


def _is_date_time(text: str) -> bool:
    """RFC 3339, also without a zone, as the standard's own examples write it."""
    match = _DATE_TIME.fullmatch(text)
    return match is not None and _parses(f"{match[1]}T{match[2].replace(':60', ':59')}{(match[4] or '').upper()}")


def _parses(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_base64(text: str) -> bool:
    try:
        decode_base64(text)
    except ValueError:
        return False
    return True


TEXT_FORMATS = {
    "date-time": _is_date_time,
    "date": _is_date,
    "byte": _is_base64,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
}

_NUMBERS = {"type": "array", "items": {"type": "number"}}
_FEATURE = {
    "type": "object",
    "required": ["type", "geometry"],
    "properties": {"type": {"enum": ["Feature"]}, "geometry": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
}
_POSITION = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 4}
_SHAPES = {  # how deep the positions lie, and how many there are at least in the innermost array
    "Point": (0, 0), "MultiPoint": (1, 1), "LineString": (1, 2),
    "MultiLineString": (2, 2), "Polygon": (2, 4), "MultiPolygon": (3, 4),
}  # fmt: skip


def _coordinates(depth: int, least: int) -> dict[str, Any]:
    if depth == 0:
        return _POSITION
    return {"type": "array", "items": _coordinates(depth - 1, least), "minItems": least if depth == 1 else 1}


def _shape(type_: str, depth: int, least: int) -> dict[str, Any]:
    members = {"type": {"enum": [type_]}, "coordinates": _coordinates(depth, least)}
    return {"required": ["coordinates"], "properties": members}


_COLLECTION = {
    "required": ["geometries"],
    "properties": {
        "type": {"enum": ["GeometryCollection"]},
        "geometries": {"type": "array", "items": {"type": "object"}},
    },
}

STRUCTURES: dict[str, dict[str, Any]] = {
    "ogc-bbox": {
        "type": "object",
        "required": ["bbox"],
        "properties": {
            "bbox": {**_NUMBERS, "anyOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}]},
            "crs": {"type": "string"},
        },
    },
    "geojson-geometry": {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": [*_SHAPES, "GeometryCollection"]}},
        "anyOf": [*(_shape(type_, *depths) for type_, depths in _SHAPES.items()), _COLLECTION],
    },
    "geojson-feature": _FEATURE,
    "geojson-feature-collection": {
        "type": "object",
        "required": ["type", "features"],
        "properties": {"type": {"enum": ["FeatureCollection"]}, "features": {"type": "array", "items": _FEATURE}},
    },
}
