"""Values of parameters: from the text that a request gives to JSON as a process takes it, and back. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from geomill.app.arcgis import features
from geomill.app.exchange import schema as schemas
from geomill.app.exchange.formats import short_code
from geomill.app.exchange.references import resolved
from geomill.app.exchange.strictjson import loads
from geomill.app.exchange.values import Place, parse_content
from geomill.app.exchange.wording import shown as quoted
from geomill.jobstore.records import timestamp

Json = Any
STRING, WHOLE, NUMBER, FLAG, DATE = "GPString", "GPLong", "GPDouble", "GPBoolean", "GPDate"
FEATURES, FILE, RASTER = "GPFeatureRecordSetLayer", "GPDataFile", "GPRasterDataLayer"
MANY = "GPMultiValue:"
_DIGITS = re.compile(r"[+-]?[0-9]{1,30}")
_GEOJSON = ("FeatureCollection", "Feature", *features.KINDS, "GeometryCollection")


# ---- what a request gives


def read(input_id: str, text: str, described: Mapping[str, Any], kind: str) -> Json:
    """The value of an input as an execute request gives it. kind: its data type. Raises BadInput."""
    place, schema = Place(input_id), resolved(described["schema"])
    if not kind.startswith(MANY):
        return _one(place, text, schema, kind)
    item = schema if described.get("maxOccurs", 1) != 1 else schemas.merged(schema).get("items") or {}
    return [
        _item(place.item(number), each, item, kind.removeprefix(MANY)) for number, each in enumerate(_several(text))
    ]


def _several(text: str) -> list[Json]:
    """The items of a list in JSON; anything else is one text."""
    try:
        found = loads(text.encode())
    except ValueError:
        return [text]
    return found if isinstance(found, list) else [text]


def _item(place: Place, given: Json, schema: schemas.Schema, kind: str) -> Json:
    """An item of a list: a text, or JSON, which may be the value already."""
    if isinstance(given, str):
        return _one(place, given, schema, kind)
    return given if kind in (STRING, WHOLE, NUMBER, FLAG) else _one(place, json.dumps(given), schema, kind)


def _one(place: Place, text: str, schema: schemas.Schema, kind: str) -> Json:
    if make := _READERS.get(kind):
        return make(place, text.strip(), schema)
    branches = tuple(each for each in schemas.branches(schema) if not schemas.is_null(each))
    if all(schemas.merged(each).get("type") == "string" for each in branches):
        return text
    return parse_content(place, text.encode(), branches)


def _whole(place: Place, text: str, schema: schemas.Schema) -> int:
    if not _DIGITS.fullmatch(text):
        raise place.wrong(f"must be a whole number, not {quoted(text)}.")
    return int(text)


def _number(place: Place, text: str, schema: schemas.Schema) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise place.wrong(f"must be a number, not {quoted(text)}.")
    return int(text) if _DIGITS.fullmatch(text) else found


def _flag(place: Place, text: str, schema: schemas.Schema) -> bool:
    if text.lower() not in ("true", "false"):
        raise place.wrong(f"must be true or false, not {quoted(text)}.")
    return text.lower() == "true"


def _date(place: Place, text: str, schema: schemas.Schema) -> str:
    """Milliseconds since 1970 as a date or a time; what is one already stays as it is."""
    if not _DIGITS.fullmatch(text):
        return text
    try:
        moment = datetime.fromtimestamp(int(text) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise place.wrong(f"must be milliseconds since 1970, up to the year 9999, not {quoted(text)}.") from None
    whole = any(short_code(schemas.merged(each)) == "date" for each in schemas.branches(schema))
    return moment.date().isoformat() if whole else timestamp(moment)


def _file(place: Place, text: str, schema: schemas.Schema) -> Json:
    """By reference."""
    document = _object(place, text) if text.startswith("{") else {"url": text}
    if "itemID" in document:
        raise place.wrong('has an itemID; an upload is given by its address here, {"url": ".../uploads/..."}.')
    address = document.get("url")
    if not isinstance(address, str) or not _is_address(address):
        raise place.wrong(f'must be {{"url": an address}}, not {quoted(text)}.')
    return {"href": address}


def _features(place: Place, text: str, schema: schemas.Schema) -> Json:
    """GeoJSON, of a feature set or as it is; or by reference."""
    if _is_address(text):
        return {"href": text}
    document = _object(place, text)
    if isinstance(document.get("url"), str):
        return {"href": document["url"]}
    if document.get("type") in _GEOJSON:
        return document
    try:
        return _fitted(features.collection(document), schema)
    except ValueError as error:
        raise place.wrong(f"{error}.") from None


def _fitted(collection: dict[str, Json], schema: schemas.Schema) -> Json:
    """A collection, or of one feature what the schema takes of it. Raises ValueError."""
    taken = {short_code(schemas.merged(each)) for each in schemas.branches(schema)}
    if "geojson-feature-collection" in taken:
        return collection
    if len(collection["features"]) != 1:
        raise ValueError(f"takes one feature, not {len(collection['features'])}")
    (feature,) = collection["features"]
    if "geojson-geometry" not in taken:
        return feature
    if feature["geometry"] is None:
        raise ValueError("has a feature without a geometry")
    return feature["geometry"]


def _object(place: Place, text: str) -> dict[str, Json]:
    try:
        found = loads(text.encode())
    except ValueError as error:
        raise place.wrong(f"{error}; it must be a JSON object.") from None
    if not isinstance(found, dict):
        raise place.wrong(f"must be a JSON object, not {quoted(found)}.")
    return found


def _is_address(text: str) -> bool:
    try:
        return urlsplit(text).scheme.lower() in ("http", "https", "s3", "file")
    except ValueError:
        return False


_READERS: dict[str, Callable[[Place, str, schemas.Schema], Json]] = {
    **{WHOLE: _whole, NUMBER: _number, FLAG: _flag, DATE: _date},
    **{FILE: _file, RASTER: _file, FEATURES: _features},
}


# ---- what an answer gives


def shown(value: Json, kind: str) -> Json:
    """A JSON value as one of this data type. Raises NotEsri for features that cannot be a feature set."""
    if value is None:
        return None
    if kind.startswith(MANY):
        each = kind.removeprefix(MANY)
        return [shown(item, each) for item in value] if isinstance(value, list) else shown(value, each)
    if kind == FEATURES:
        return features.feature_set(value)
    if kind == DATE:
        return _milliseconds(value)
    if kind == STRING and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value


def as_given(value: Json, kind: str) -> Json:
    """An input of an execute request: by reference, qualified or bare. Raises NotEsri."""
    if isinstance(value, list) and kind.startswith(MANY):
        return [as_given(each, kind.removeprefix(MANY)) for each in value]
    if isinstance(value, dict) and isinstance(value.get("href"), str):
        return {"url": value["href"]}
    if isinstance(value, dict) and "value" in value and set(value) <= {"value", "mediaType", "encoding", "format"}:
        return shown(value["value"], kind)
    return shown(value, kind)


def _milliseconds(value: Json) -> Json:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return value
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
