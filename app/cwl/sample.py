"""An execute request to begin with, made of a process description."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from geomill.app.exchange.formats import short_code
from geomill.app.exchange.media_types import extension
from geomill.app.exchange.schema import branches, is_directory, is_file, merged

Json = Any

HOST = "https://example.com/"  # RFC 2606: nobody's
TEXTS = {
    "date": "2024-07-01",
    "date-time": "2024-07-01T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "byte": "",
}
POINT = {"type": "Point", "coordinates": [16.37, 48.21]}
FEATURE = {"type": "Feature", "geometry": POINT, "properties": {}}
STAC = {"stac_version": "1.0.0", "id": "example", "links": []}
OBJECTS = {
    "stac-item": {**FEATURE, **STAC, "properties": {"datetime": "2024-07-01T12:00:00Z"}, "assets": {}},
    "stac-catalog": {"type": "Catalog", **STAC, "description": "An example"},
    "stac-collection": {"type": "Collection", **STAC, "description": "An example", "license": "other"},
    "ogc-bbox": {"bbox": [16.2, 48.1, 16.6, 48.3]},
    "geojson-geometry": POINT,
    "geojson-feature": FEATURE,
    "geojson-feature-collection": {"type": "FeatureCollection", "features": [FEATURE]},
}
GEOMETRIES: Mapping[str, Json] = {
    "MultiPoint": [[16.2, 48.1], [16.6, 48.3]],
    "LineString": [[16.2, 48.1], [16.6, 48.3]],
    "MultiLineString": [[[16.2, 48.1], [16.6, 48.3]]],
    "Polygon": [[[16.2, 48.1], [16.6, 48.1], [16.6, 48.3], [16.2, 48.1]]],
    "MultiPolygon": [[[[16.2, 48.1], [16.6, 48.1], [16.6, 48.3], [16.2, 48.1]]]],
}


def sample(description: Mapping[str, Any]) -> Json:
    """A body that the process accepts: its required inputs, and those with a default."""
    inputs = {}
    for name, described in (description.get("inputs") or {}).items():
        schema = described["schema"]
        if "default" in schema or described.get("minOccurs", 1) > 0:
            value = schema["default"] if "default" in schema else _value(schema)
            # an object would be taken for a link or for a value with its format
            inputs[name] = {"value": value} if isinstance(value, dict) and not is_link(schema) else value
    return {"inputs": inputs}


def is_link(schema: Mapping[str, Any]) -> bool:
    """Whether a value is given by its address: a file or a directory, and no text of a kind known."""
    branch = branches(schema)[0]
    return is_directory(branch) or is_file(branch)


def _value(schema: Mapping[str, Any]) -> Json:
    """A value that fits; of several alternatives the first."""
    facts = merged(branches(schema)[0])
    if is_link(schema):
        return _address(facts)
    if facts.get("enum"):
        return facts["enum"][0]
    match facts.get("type"):
        case "boolean":
            return True
        case "integer" | "number":
            return max(1, math.ceil(facts.get("minimum", 1)))
        case "string":
            return TEXTS.get(facts.get("format", ""), HOST if "ri" in facts.get("format", "") else "text")
        case "array":
            return [_value(facts.get("items") or {})] * max(1, facts.get("minItems", 1))
        case "object":
            return _object(facts)
    return "text"


def _object(facts: Mapping[str, Any]) -> Json:
    code, properties = short_code(facts), facts.get("properties") or {}
    if code == "geojson-geometry":
        kind = (properties.get("type", {}).get("enum") or ["Point"])[0]
        if kind == "GeometryCollection":
            return {"type": kind, "geometries": [POINT]}
        return {"type": kind, "coordinates": GEOMETRIES.get(kind, POINT["coordinates"])}
    if code in OBJECTS:
        return OBJECTS[code]
    return {name: _value(properties.get(name) or {}) for name in facts.get("required", ())}


def _address(facts: Mapping[str, Any]) -> Json:
    if is_directory(facts):
        return {"href": HOST + "catalog.json"}
    kind = facts.get("contentMediaType")
    ending = extension(kind) if kind else ""
    return {"href": f"{HOST}file{ending}", **({"type": kind} if kind else {})}
