"""What a schema takes, in words: "whole number, 0 to 3600", "list of 1 to 10 texts", "file (image/tiff)"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geomill.app.exchange import schema as schemas
from geomill.app.exchange.formats import short_code
from geomill.app.exchange.references import resolved
from geomill.app.exchange.values import described_type
from geomill.app.exchange.wording import listed
from geomill.app.pages import words

TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no", "object": "object",
         "null": "nothing"}  # fmt: skip
FORMATS = {
    "date": "date", "date-time": "date and time, in UTC", "time": "time", "duration": "duration, such as P1DT12H",
    "uri": "address", "url": "address", "email": "email address", "uuid": "UUID", "ogc-bbox": "bounding box",
    "directory": "directory", "geojson-geometry": "GeoJSON geometry", "geojson-feature": "GeoJSON feature",
    "geojson-feature-collection": "GeoJSON feature collection", "stac-item": "STAC item",
    "stac-catalog": "STAC catalog", "stac-collection": "STAC collection",
}  # fmt: skip
PLURALS = {"text": "texts", "whole number": "whole numbers", "number": "numbers", "object": "objects", "date": "dates",
           "JSON": "values", "bounding box": "bounding boxes", "address": "addresses"}  # fmt: skip
DEEPEST = 4  # lists of lists
_WHOLE = {"int32", "int64"}  # bounds that nobody has to be told


def kind(schema: Any) -> str:
    """What a value is, by a whole schema, which may refer to parts of itself."""
    return phrase(resolved(schema))


def phrase(schema: Any, depth: int = 0) -> str:
    """What a value is. Any schema, also one that is none, has a phrase."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return "JSON"
    try:
        branches = schemas.branches(schema)[:12]
        branches = [each for each in branches if not schemas.is_null(each)] or branches
        media = [kind for branch in branches if (kind := described_type(branch))]
        if all(map(schemas.is_file, branches)):
            return f"{listed(dict.fromkeys(map(words.media, media)))} file" if media else "file"
        return listed(dict.fromkeys(_one(schemas.merged(branch), depth) for branch in branches))
    except (TypeError, AttributeError, ValueError, KeyError, RecursionError):  # a keyword of the wrong kind
        return "JSON"


def _one(facts: Mapping[str, Any], depth: int) -> str:
    code = FORMATS.get(short_code(facts))
    if code:
        return code
    if "const" in facts or facts.get("enum"):
        options = facts.get("enum") or [facts["const"]]
        return listed([option for option in options if option is not None] or ["nothing"])
    types = facts.get("type") or ("object" if "properties" in facts else "array" if "items" in facts else [])
    types = types if isinstance(types, list) else [types]
    told = [_of_type(kind, facts, depth) for kind in types if kind != "null"]
    return ", ".join(filter(None, [listed(told) or "JSON", limits(facts)]))


def _of_type(kind: str, facts: Mapping[str, Any], depth: int) -> str:
    if kind == "array":
        return _list(facts, depth)
    values = facts.get("additionalProperties")
    if kind == "object" and isinstance(values, Mapping) and values.get("type") and not facts.get("properties"):
        return f"{_several(phrase(values, depth + 1))}, by name"
    return TYPES.get(kind, "JSON")


def _several(item: str) -> str:
    """More than one of what a phrase tells."""
    head, _, rest = item.partition(", ")
    return PLURALS[head] + (f", each {rest}" if rest else "") if head in PLURALS else item


def _list(facts: Mapping[str, Any], depth: int) -> str:
    item = phrase(facts.get("items", {}), depth + 1)
    return f"list of {counted(facts.get('minItems') or None, facts.get('maxItems'), item, _several(item))}"


def limits(facts: Mapping[str, Any]) -> str:
    """The bounds of a number or a text: "0 to 3600", "at most 40 characters"; "" where there are none."""
    told = []
    if short_code(facts) not in _WHOLE:
        low, high = facts.get("minimum"), facts.get("maximum")
        above, below = facts.get("exclusiveMinimum"), facts.get("exclusiveMaximum")
        above, low = (low, None) if above is True else (above or None, low)
        below, high = (high, None) if below is True else (below or None, high)
        told = [between(low, high), f"more than {_figure(above)}" if above is not None else "",
                f"less than {_figure(below)}" if below is not None else ""]  # fmt: skip
    if facts.get("multipleOf") not in (None, 1):
        told.append(f"in steps of {_figure(facts['multipleOf'])}")
    if "minLength" in facts or "maxLength" in facts:
        told.append(counted(facts.get("minLength"), facts.get("maxLength"), "character", "characters"))
    told.append(f"like {facts['pattern']}" if isinstance(facts.get("pattern"), str) else "")
    return ", ".join(filter(None, told))


def counted(low: Any, high: Any, one: str, several: str) -> str:
    """ "at least 1 text", "1 to 10 texts", or "texts" """
    count = between(low, high)
    return f"{count} {one if count in ('1', 'at least 1', 'at most 1') else several}".lstrip()


def between(low: Any, high: Any) -> str:
    """ "1 to 10", "at least 1", "at most 10", "10", or "" """
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"at least {_figure(low)}" if high is None else f"at most {_figure(high)}"
    return _figure(low) if low == high else f"{_figure(low)} to {_figure(high)}"


def _figure(value: Any) -> str:
    """A bound as people write it: 1, not 1.0."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value) if whole else value)
