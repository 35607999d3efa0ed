"""Features of Esri as GeoJSON, and the other way round: coordinates are longitudes and latitudes in both. Pure.

Sources: Esri, "Geometry objects" and "Feature object" (REST API); RFC 7946.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from geomill.app.arcgis.rings import Position, Ring, Steps, clockwise, polygons

Json = Any

WGS84 = {"wkid": 4326, "latestWkid": 4326}
KINDS = {  # how the geometries of GeoJSON are called
    "Point": "esriGeometryPoint",
    "MultiPoint": "esriGeometryMultipoint",
    "LineString": "esriGeometryPolyline",
    "MultiLineString": "esriGeometryPolyline",
    "Polygon": "esriGeometryPolygon",
    "MultiPolygon": "esriGeometryPolygon",
}
UNKNOWN = (None, "NaN")  # as a coordinate
NO_POSITION = "has a geometry with a position that is not [x, y]"
FIELDS = {int: "esriFieldTypeInteger", float: "esriFieldTypeDouble", str: "esriFieldTypeString"}


class NotEsri(ValueError):
    """What GeoJSON can say and a feature set cannot."""


# ---- to GeoJSON


def collection(document: Json, steps: Steps, *, only_one: bool = False) -> dict[str, Json]:
    """A FeatureCollection of a feature set, a feature or a geometry.

    steps: taken by all that one request gives; only_one: whether more than one feature is too many, and fewer too few.
    Raises ValueError, worded to follow the name of what was given.
    """
    if not isinstance(document, dict):
        raise ValueError('must be a feature set such as {"features": [...]}')
    if isinstance(document.get("featureSet"), dict):  # of a feature collection
        document = document["featureSet"]
    check_reference(document.get("spatialReference"))
    if "features" in document:
        if not isinstance(document["features"], list):
            raise ValueError("must have a list of `features`")
        given = document["features"]
    else:
        given = [document if "geometry" in document else {"geometry": document}]
    if only_one and len(given) != 1:
        raise ValueError(f"takes one feature, not {len(given)}")
    return {"type": "FeatureCollection", "features": [_feature(each, document, steps) for each in given]}


def check_reference(reference: Json) -> None:
    """Raises ValueError for another spatial reference than longitudes and latitudes on WGS 84; none counts as that."""
    if reference in (None, {}):
        return
    given = reference.get("latestWkid") or reference.get("wkid") if isinstance(reference, dict) else reference
    if str(given) != "4326":
        said = f"wkid {given}" if isinstance(given, int | str) else "none that is named by its wkid"
        raise ValueError(f"has the spatial reference {said:.60}; send longitudes and latitudes, wkid 4326")


def _feature(feature: Json, around: dict[str, Json], steps: Steps) -> dict[str, Json]:
    """A Feature. around: the feature set, which may say what the coordinates are."""
    if not isinstance(feature, dict):
        raise ValueError('must have features such as {"geometry": {...}, "attributes": {...}}')
    properties = feature.get("attributes")
    properties = {} if properties is None else properties
    if not isinstance(properties, dict):
        raise ValueError("has a feature whose `attributes` are no object")
    shape = _geometry(feature.get("geometry"), around, steps)
    return {"type": "Feature", "geometry": shape, "properties": properties}


def _geometry(shape: Json, around: dict[str, Json], steps: Steps) -> dict[str, Json] | None:
    """A geometry of GeoJSON, None for an empty one."""
    if shape is None:
        return None
    if not isinstance(shape, dict):
        raise ValueError("has a geometry that is no object")
    check_reference(shape.get("spatialReference"))
    said = {**around, **shape}
    most = 2 if said.get("hasM") and not said.get("hasZ") else 3  # the measure is left out
    if "x" in shape:
        return _point(shape)
    for member, make in _MAKERS.items():
        if member in shape:
            return make(_parts(shape[member], most, 0 if member == "points" else 1), steps)
    known = "x and y, points, paths or rings; curves are not understood"
    raise ValueError(f"has a geometry without {known}")


def _point(shape: dict[str, Json]) -> dict[str, Json] | None:
    if shape["x"] in UNKNOWN:
        return None
    return {"type": "Point", "coordinates": _position([shape["x"], shape.get("y"), shape.get("z")], 3)}


def _parts(given: Json, most: int, depth: int) -> list[Any]:
    """Positions, or lists of them. depth: how many lists are around those."""
    if not isinstance(given, list):
        raise ValueError("has a geometry whose parts are no lists")
    return [_parts(each, most, depth - 1) if depth else _position(each, most) for each in given]


def _position(given: Json, most: int) -> Position:
    """A position of as many numbers at most. A height that is not known is left out."""
    numbers = given[:most] if isinstance(given, list) else []
    if len(numbers) == 3 and numbers[2] in UNKNOWN:
        numbers = numbers[:2]
    if len(numbers) < 2:
        raise ValueError(NO_POSITION)
    for each in numbers:
        if type(each) not in (int, float) or not math.isfinite(each):
            raise ValueError(NO_POSITION)
    return numbers


def _points(points: list[Position], _: Steps) -> dict[str, Json] | None:
    return {"type": "MultiPoint", "coordinates": points} if points else None


def _lines(paths: list[list[Position]], _: Steps) -> dict[str, Json] | None:
    if any(len(path) < 2 for path in paths):
        raise ValueError("has a path of fewer than two positions")
    if not paths:
        return None
    return _one_or_many("LineString", paths)


def _polygons(rings: list[Ring], steps: Steps) -> dict[str, Json] | None:
    """Rings that run clockwise are the outer ones; each other is a hole in one of them, or an island by itself."""
    rings = [ring if ring[:1] == ring[-1:] else [*ring, ring[0]] for ring in rings if ring]
    if any(len(ring) < 4 for ring in rings):
        raise ValueError("has a ring of fewer than three positions")
    found = polygons(rings, steps)
    return _one_or_many("Polygon", found) if found else None


def _one_or_many(kind: str, parts: list[Any]) -> dict[str, Json]:
    if len(parts) == 1:
        return {"type": kind, "coordinates": parts[0]}
    return {"type": f"Multi{kind}", "coordinates": parts}


_MAKERS: dict[str, Callable[[list[Any], Steps], dict[str, Json] | None]] = {
    "points": _points,
    "paths": _lines,
    "rings": _polygons,
}


# ---- from GeoJSON


def feature_set(document: Json) -> dict[str, Json]:
    """The feature set of a GeoJSON object. Raises NotEsri for what cannot be one."""
    try:
        return _feature_set(document)
    except NotEsri:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise NotEsri(f"it is no GeoJSON that a feature set can hold: {error}") from error


def _feature_set(document: Json) -> dict[str, Json]:
    features = [(each.get("geometry") or None, _properties(each)) for each in _features(document)]  # {}: an empty one
    kinds = {KINDS[shape["type"]] for shape, _ in features if shape}
    shapes = [_shape(shape) if shape else None for shape, _ in features]
    if len(kinds) > 1:
        raise NotEsri("its geometries are of several kinds")
    fields = _fields([properties for _, properties in features])
    return {
        "displayFieldName": "",
        "geometryType": next(iter(kinds), None),
        "spatialReference": WGS84,
        **({"hasZ": True} if any(_has_height(shape) for shape, _ in features) else {}),
        "fields": [{"name": name, "type": FIELDS[kind], "alias": name} for name, kind in fields.items()],
        "features": [
            {"attributes": _attributes(properties, fields), **({"geometry": shape} if shape else {})}
            for shape, (_, properties) in zip(shapes, features, strict=True)
        ],
    }


def _features(document: dict[str, Json]) -> list[dict[str, Json]]:
    if document["type"] == "FeatureCollection":
        return list(document["features"])
    return [document if document["type"] == "Feature" else {"geometry": document}]


def _properties(feature: dict[str, Json]) -> dict[str, Json]:
    """The properties of a feature, and its id, which a feature set has no other place for."""
    named = {"id": feature["id"]} if feature.get("id") is not None else {}
    return {**named, **(feature.get("properties") or {})}


def _shape(shape: dict[str, Json]) -> dict[str, Json]:
    kind, coordinates = shape["type"], shape["coordinates"]
    if not all(-180 <= x <= 180 and -90 <= y <= 90 for x, y, *_ in _positions(coordinates)):
        raise ValueError("its coordinates are no longitudes and latitudes")
    if kind == "Point":
        return dict(zip("xyz", coordinates, strict=False))
    if kind == "MultiPoint":
        return {"points": coordinates}
    if kind.endswith("LineString"):
        return {"paths": coordinates if kind.startswith("Multi") else [coordinates]}
    polygons = coordinates if kind.startswith("Multi") else [coordinates]
    return {"rings": [_turned(ring, outer=number == 0) for polygon in polygons for number, ring in enumerate(polygon)]}


def _turned(ring: Ring, *, outer: bool) -> Ring:
    return ring if (clockwise(ring) > 0) == outer else ring[::-1]


def _positions(coordinates: list[Any]) -> list[Position]:
    if coordinates and isinstance(coordinates[0], list):
        return [position for each in coordinates for position in _positions(each)]
    return [coordinates] if coordinates else []


def _has_height(shape: dict[str, Json] | None) -> bool:
    return shape is not None and any(len(each) > 2 for each in _positions(shape["coordinates"]))


def _fields(rows: list[dict[str, Json]]) -> dict[str, type]:
    """The kind of each attribute, in the order that they come in."""
    found: dict[str, set[type]] = {}
    for row in rows:
        for name, value in row.items():
            kinds = found.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))
    return {name: _common(kinds) for name, kinds in found.items()}


def _kind(value: Json) -> type:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str
    return int if isinstance(value, int) and abs(value) < 2**31 else float


def _common(kinds: set[type]) -> type:
    if len(kinds) == 1:
        return next(iter(kinds))
    return float if kinds and kinds <= {int, float} else str


def _attributes(properties: dict[str, Json], fields: dict[str, type]) -> dict[str, Json]:
    """Numbers and text; whatever else there is as JSON."""
    as_text = {name for name, kind in fields.items() if kind is str}
    return {
        name: json.dumps(value, ensure_ascii=False) if name in as_text and not isinstance(value, str | None) else value
        for name, value in properties.items()
    }
