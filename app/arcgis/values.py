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
from geomill.app.arcgis.rings import Steps
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
MOST_READ = 10_000  # values of a list that have to be read one by one, at about 50 us each
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,29})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?")
COLLECTION = "geojson-feature-collection"
_GEOJSON = ("FeatureCollection", "Feature", *features.KINDS, "GeometryCollection")


# ---- what a request gives


def read(input_id: str, text: str, described: Mapping[str, Any], kind: str, steps: Steps) -> Json:
    """The value of an input as an execute request gives it. Raises BadInput.

    kind: its data type; steps: taken by all inputs of the request.
    """
    place, schema = Place(input_id), resolved(described["schema"])
    if not kind.startswith(MANY):
        return _one(place, text, schema, kind, steps)
    most, facts = described.get("maxOccurs", 1), schemas.merged(schema)
    item, most = (schema, most) if most != 1 else (facts.get("items") or {}, facts.get("maxItems"))
    given, kind = _several(text), kind.removeprefix(MANY)
    if isinstance(most, int) and len(given) > most:
        raise place.wrong(f"takes {most} values at most, not {len(given)}.")
    if _are_values(given, item, kind):
        return given
    if len(given) > MOST_READ:
        raise place.wrong(f"takes {MOST_READ} values at most that are texts to be read, not {len(given)}.")
    return [_item(place.item(number), each, item, kind, steps) for number, each in enumerate(given)]


def _several(text: str) -> list[Json]:
    """The items of a list in JSON; anything else is one text."""
    try:
        found = loads(text.encode())
    except ValueError:
        return [text]
    return found if isinstance(found, list) else [text]


def _are_values(given: list[Json], schema: schemas.Schema, kind: str) -> bool:
    """Whether the items of a list are values as they are: JSON, and texts where these are meant."""
    if kind == STRING and _is_text(schema):
        return True
    return kind in (STRING, WHOLE, NUMBER, FLAG) and not any(isinstance(each, str) for each in given)


def _item(place: Place, given: Json, schema: schemas.Schema, kind: str, steps: Steps) -> Json:
    """An item of a list: a text, or JSON, which may be the value already."""
    if isinstance(given, str):
        return _one(place, given, schema, kind, steps)
    return given if kind in (STRING, WHOLE, NUMBER, FLAG) else _one(place, json.dumps(given), schema, kind, steps)


def _one(place: Place, text: str, schema: schemas.Schema, kind: str, steps: Steps) -> Json:
    if kind == FEATURES:
        return _features(place, text.strip(), schema, steps)
    if make := _READERS.get(kind):
        return make(place, text.strip(), schema)
    return text if _is_text(schema) else parse_content(place, text.encode(), _branches(schema))


def _branches(schema: schemas.Schema) -> tuple[schemas.Schema, ...]:
    return tuple(each for each in schemas.branches(schema) if not schemas.is_null(each))


def _is_text(schema: schemas.Schema) -> bool:
    """Whether a text is the value itself, and no JSON."""
    return all(schemas.merged(each).get("type") == "string" for each in _branches(schema))


def _whole(place: Place, text: str, schema: schemas.Schema) -> int:
    if not _WHOLE.fullmatch(text):
        raise place.wrong(f"must be a whole number, not {quoted(text)}.")
    return int(text)


def _number(place: Place, text: str, schema: schemas.Schema) -> float:
    """A number as JSON has it: Python reads more, such as 1_000."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text) or not math.isfinite(found := float(text)):
        raise place.wrong(f"must be a number, not {quoted(text)}.")
    return found


def _flag(place: Place, text: str, schema: schemas.Schema) -> bool:
    if text.lower() not in ("true", "false"):
        raise place.wrong(f"must be true or false, not {quoted(text)}.")
    return text.lower() == "true"


def _date(place: Place, text: str, schema: schemas.Schema) -> str:
    """Milliseconds since 1970 as a date or a time; what is one already stays as it is."""
    if not _WHOLE.fullmatch(text):
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


def _features(place: Place, text: str, schema: schemas.Schema, steps: Steps) -> Json:
    """GeoJSON, of a feature set or as it is; or by reference."""
    if _is_address(text):
        return {"href": text}
    document = _object(place, text)
    if isinstance(document.get("url"), str):
        return {"href": document["url"]}
    if document.get("type") in _GEOJSON:
        return document
    taken = {short_code(schemas.merged(each)) for each in schemas.branches(schema)}
    try:
        found = features.collection(document, steps, only_one=COLLECTION not in taken)
        return found if COLLECTION in taken else _of_one(found["features"][0], taken)
    except ValueError as error:
        raise place.wrong(f"{error}.") from None


def _of_one(feature: dict[str, Json], taken: set[str]) -> Json:
    """What a schema takes of one feature. Raises ValueError."""
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
    **{FILE: _file, RASTER: _file},
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
