"""Features of Esri as GeoJSON, and the other way round: coordinates are longitudes and latitudes in both. Pure.

Sources: Esri, "Geometry objects" and "Feature object" (REST API); RFC 7946.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

Json = Any
Position = list[float]
Ring = list[Position]

WGS84 = {"wkid": 4326, "latestWkid": 4326}
MOST_STEPS = 1_000_000  # to find the polygons that holes are in
SAMPLE = 4  # corners of a hole that are looked at for that
KINDS = {  # how the geometries of GeoJSON are called
    "Point": "esriGeometryPoint",
    "MultiPoint": "esriGeometryMultipoint",
    "LineString": "esriGeometryPolyline",
    "MultiLineString": "esriGeometryPolyline",
    "Polygon": "esriGeometryPolygon",
    "MultiPolygon": "esriGeometryPolygon",
}
FIELDS = {int: "esriFieldTypeInteger", float: "esriFieldTypeDouble", str: "esriFieldTypeString"}


class NotEsri(ValueError):
    """What GeoJSON can say and a feature set cannot."""


# ---- to GeoJSON


def collection(document: Json) -> dict[str, Json]:
    """A FeatureCollection of a feature set, a feature or a geometry.

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
        return _collected(_feature(each, document) for each in document["features"])
    return _collected([_feature(document if "geometry" in document else {"geometry": document}, document)])


def _collected(features: Iterable[dict[str, Json]]) -> dict[str, Json]:
    return {"type": "FeatureCollection", "features": list(features)}


def check_reference(reference: Json) -> None:
    """Raises ValueError for another spatial reference than longitudes and latitudes on WGS 84; none counts as that."""
    if reference in (None, {}):
        return
    given = reference.get("latestWkid") or reference.get("wkid") if isinstance(reference, dict) else reference
    if str(given) != "4326":
        said = f"wkid {given}" if isinstance(given, int | str) else "none that is named by its wkid"
        raise ValueError(f"has the spatial reference {said:.60}; send longitudes and latitudes, wkid 4326")


def _feature(feature: Json, around: dict[str, Json]) -> dict[str, Json]:
    """A Feature. around: the feature set, which may say what the coordinates are."""
    if not isinstance(feature, dict):
        raise ValueError('must have features such as {"geometry": {...}, "attributes": {...}}')
    properties = feature.get("attributes")
    properties = {} if properties is None else properties
    if not isinstance(properties, dict):
        raise ValueError("has a feature whose `attributes` are no object")
    return {"type": "Feature", "geometry": geometry(feature.get("geometry"), around), "properties": properties}


def geometry(shape: Json, around: dict[str, Json]) -> dict[str, Json] | None:
    """A geometry of GeoJSON, None for an empty one. Raises ValueError."""
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
            return make(_parts(shape[member], most, 0 if member == "points" else 1))
    known = "x and y, points, paths or rings; curves are not understood"
    raise ValueError(f"has a geometry without {known}")


def _point(shape: dict[str, Json]) -> dict[str, Json] | None:
    if shape["x"] in (None, "NaN"):
        return None
    given = [shape["x"], shape.get("y"), *([shape["z"]] if shape.get("z") not in (None, "NaN") else [])]
    return {"type": "Point", "coordinates": _position(given, 3)}


def _parts(given: Json, most: int, depth: int) -> list[Any]:
    """Positions, or lists of them. depth: how many lists are around those."""
    if not isinstance(given, list):
        raise ValueError("has a geometry whose parts are no lists")
    return [_parts(each, most, depth - 1) if depth else _position(each, most) for each in given]


def _position(given: Json, most: int) -> Position:
    numbers = isinstance(given, list) and all(type(each) in (int, float) for each in given[:most])
    if not numbers or len(given) < 2 or not all(map(math.isfinite, given[:most])):
        raise ValueError("has a geometry with a position that is not [x, y]")
    return list(given[:most])


def _points(points: list[Position]) -> dict[str, Json] | None:
    return {"type": "MultiPoint", "coordinates": points} if points else None


def _lines(paths: list[list[Position]]) -> dict[str, Json] | None:
    if any(len(path) < 2 for path in paths):
        raise ValueError("has a path of fewer than two positions")
    if not paths:
        return None
    return _one_or_many("LineString", paths)


def _polygons(rings: list[Ring]) -> dict[str, Json] | None:
    """Rings that run clockwise are the outer ones; each other is a hole in one of them, or an island by itself."""
    rings = [ring if ring[:1] == ring[-1:] else [*ring, ring[0]] for ring in rings if ring]
    if any(len(ring) < 4 for ring in rings):
        raise ValueError("has a ring of fewer than three positions")
    polygons = [[ring] for ring in rings if _clockwise(ring) >= 0]
    holes = [ring for ring in rings if _clockwise(ring) < 0]
    if len(polygons) > 1 and len(holes) * sum(len(outer) for outer, *_ in polygons) > MOST_STEPS:
        raise ValueError('has too many rings to find out which are holes of which; give it as {"url": an address}')
    alone = []
    for hole in holes:
        around = _around(hole, polygons)
        alone.append([hole]) if around is None else around.append(hole)
    found = [[outer[::-1] if _clockwise(outer) > 0 else outer, *(hole[::-1] for hole in inner)]
             for outer, *inner in [*polygons, *alone]]  # fmt: skip
    return _one_or_many("Polygon", found) if found else None


def _around(hole: Ring, polygons: list[list[Ring]]) -> list[Ring] | None:
    """The polygon that a hole is in: of several the smallest."""
    if len(polygons) == 1:
        return polygons[0]
    sample = hole[:: max(1, len(hole) // SAMPLE)][:SAMPLE]
    inside = [(sum(_is_in(corner, polygon[0]) for corner in sample), polygon) for polygon in polygons]
    most = max((count for count, _ in inside), default=0)
    candidates = [polygon for count, polygon in inside if count == most]
    return min(candidates, key=lambda polygon: _clockwise(polygon[0])) if most else None


def _is_in(point: Position, ring: Ring) -> bool:
    """Whether a ray from a point to the east crosses a ring an odd number of times."""
    x, y = point[:2]
    crossed = False
    for (x1, y1, *_), (x2, y2, *_) in zip(ring, ring[1:], strict=False):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            crossed = not crossed
    return crossed


def _clockwise(ring: Ring) -> float:
    """Twice the area of a ring, below 0 when it runs against the clock."""
    return sum((b[0] - a[0]) * (b[1] + a[1]) for a, b in zip(ring, ring[1:], strict=False))


def _one_or_many(kind: str, parts: list[Any]) -> dict[str, Json]:
    if len(parts) == 1:
        return {"type": kind, "coordinates": parts[0]}
    return {"type": f"Multi{kind}", "coordinates": parts}


_MAKERS: dict[str, Callable[[list[Any]], dict[str, Json] | None]] = {
    "points": _points,
    "paths": _lines,
    "rings": _polygons,
}


# ---- from GeoJSON


def feature_set(document: Json) -> dict[str, Json]:
    """The feature set of a GeoJSON object. Raises NotEsri for what cannot be one."""
    try:
        features = [(each.get("geometry"), _properties(each)) for each in _features(document)]
        kinds = {KINDS[shape["type"]] for shape, _ in features if shape}
        shapes = [_shape(shape) if shape else None for shape, _ in features]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise NotEsri(f"it is no GeoJSON that a feature set can hold: {error}") from error
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
    return ring if (_clockwise(ring) > 0) == outer else ring[::-1]


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
