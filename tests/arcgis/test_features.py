"""Features of Esri and GeoJSON are the same features."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomill.app.arcgis.features import NotEsri, feature_set
from geomill.app.arcgis.features import collection as of_request
from geomill.app.arcgis.rings import Steps

SQUARE = [[0, 0], [0, 10], [10, 10], [10, 0], [0, 0]]  # clockwise, as an outer ring is
HOLE = [[2, 2], [4, 2], [4, 4], [2, 4], [2, 2]]
ISLAND = [[2.5, 2.5], [2.5, 3.5], [3.5, 3.5], [3.5, 2.5], [2.5, 2.5]]
FAR = [[20, 0], [20, 10], [30, 10], [30, 0], [20, 0]]
FAR_HOLE = [[22, 2], [24, 2], [24, 4], [22, 2]]


def collection(document: Any) -> dict[str, Any]:
    return of_request(document, Steps())


def one(geometry: dict[str, Any], **around: Any) -> Any:
    return collection({"features": [{"geometry": geometry}], **around})["features"][0]["geometry"]


@pytest.mark.parametrize(
    "geometry, kind, coordinates",
    [
        ({"x": 8, "y": 47}, "Point", [8, 47]),
        ({"x": 8, "y": 47, "z": 400}, "Point", [8, 47, 400]),
        ({"points": [[8, 47], [9, 48]]}, "MultiPoint", [[8, 47], [9, 48]]),
        ({"paths": [[[8, 47], [9, 48]]]}, "LineString", [[8, 47], [9, 48]]),
        ({"paths": [[[8, 47], [9, 48]], [[1, 1], [2, 2]]]}, "MultiLineString", [[[8, 47], [9, 48]], [[1, 1], [2, 2]]]),
        ({"rings": [SQUARE]}, "Polygon", [SQUARE[::-1]]),
        ({"rings": [SQUARE[:-1]]}, "Polygon", [SQUARE[::-1]]),  # not closed
        ({"rings": [SQUARE, HOLE]}, "Polygon", [SQUARE[::-1], HOLE[::-1]]),
        ({"rings": [HOLE, SQUARE]}, "Polygon", [SQUARE[::-1], HOLE[::-1]]),
        ({"rings": [SQUARE, FAR]}, "MultiPolygon", [[SQUARE[::-1]], [FAR[::-1]]]),
        (
            {"rings": [FAR_HOLE, SQUARE, HOLE, FAR]},
            "MultiPolygon",
            [[SQUARE[::-1], HOLE[::-1]], [FAR[::-1], FAR_HOLE[::-1]]],
        ),
        # an island in a lake is a polygon of its own, and the lake a hole in the land around it
        ({"rings": [SQUARE, ISLAND, HOLE]}, "MultiPolygon", [[SQUARE[::-1], HOLE[::-1]], [ISLAND[::-1]]]),
        ({"rings": [SQUARE, FAR, [[50, 2], [54, 2], [54, 4], [50, 2]]]}, "MultiPolygon", None),  # a hole in nothing
        (
            {"paths": [[[8, 47, 1, 5], [9, 48, 2, 6]]], "hasZ": True, "hasM": True},
            "LineString",
            [[8, 47, 1], [9, 48, 2]],
        ),
        ({"paths": [[[8, 47, 5], [9, 48, 6]]], "hasM": True}, "LineString", [[8, 47], [9, 48]]),
        # heights that are not known
        ({"x": 8, "y": 47, "z": "NaN"}, "Point", [8, 47]),
        ({"points": [[8, 47, None], [9, 48, 2]]}, "MultiPoint", [[8, 47], [9, 48, 2]]),
        (
            {"paths": [[[8, 47, "NaN", 5], [9, 48, None, 6]]], "hasZ": True, "hasM": True},
            "LineString",
            [[8, 47], [9, 48]],
        ),
    ],
)
def test_a_geometry_becomes_geojson(geometry: dict[str, Any], kind: str, coordinates: Any) -> None:
    found = one(geometry)
    assert found["type"] == kind
    assert coordinates is None or found["coordinates"] == coordinates


@pytest.mark.parametrize("geometry", [None, {"x": "NaN", "y": "NaN"}, {"x": None}, {"points": []}, {"rings": []}])
def test_an_empty_geometry_is_none(geometry: Any) -> None:
    assert one(geometry) is None


@pytest.mark.parametrize(
    "document, words",
    [
        (5, "must be a feature set"),
        ({"features": {}}, "list of `features`"),
        ({"features": [5]}, "features such as"),
        ({"features": [{"geometry": 5}]}, "no object"),
        ({"features": [{"geometry": {"x": "8", "y": 47}}]}, "[x, y]"),
        ({"features": [{"geometry": {"x": True, "y": 47}}]}, "[x, y]"),
        ({"features": [{"geometry": {"x": 8}}]}, "[x, y]"),
        ({"features": [{"geometry": {"x": 8, "y": float("nan")}}]}, "[x, y]"),
        ({"features": [{"geometry": {"points": [[8]]}}]}, "[x, y]"),
        ({"features": [{"geometry": {"points": [["NaN", 47]]}}]}, "[x, y]"),
        ({"features": [{"geometry": {"points": [[8, 47, "2"]]}}]}, "[x, y]"),
        ({"features": [{"geometry": {"paths": 5}}]}, "parts are no lists"),
        ({"features": [{"geometry": {"paths": [[[8, 47]]]}}]}, "fewer than two"),
        ({"features": [{"geometry": {"rings": [[[8, 47], [9, 48]]]}}]}, "fewer than three"),
        ({"features": [{"geometry": {"curveRings": []}}]}, "curves are not understood"),
        ({"features": [{"geometry": {"x": 8, "y": 47}, "attributes": []}]}, "`attributes`"),
        ({"features": [], "spatialReference": {"wkid": 102100, "latestWkid": 3857}}, "wkid 3857"),
        ({"features": [], "spatialReference": {"wkt": "GEOGCS[...]"}}, "none that is named by its wkid"),
        ({"features": [{"geometry": {"x": 8, "y": 47, "spatialReference": {"wkid": 2056}}}]}, "wkid 2056"),
        ({"x": 8, "y": 47, "spatialReference": {"wkid": 21781}}, "wkid 21781"),
    ],
)
def test_what_is_no_feature_is_told(document: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", r"\[").replace("{", r"\{")):
        collection(document)


def test_a_hole_is_in_the_ring_that_it_lies_in_where_boxes_overlap() -> None:
    """A bay with an island: what is in the box of the land is not in the land."""
    land = [[0, 0], [0, 10], [10, 10], [10, 9], [1, 9], [1, 0], [0, 0]]
    island = [[4, 1], [4, 6], [9, 6], [9, 1], [4, 1]]
    lake = [[5, 2], [7, 2], [7, 4], [5, 4], [5, 2]]
    assert one({"rings": [land, lake, island]})["coordinates"] == [[land[::-1]], [island[::-1], lake[::-1]]]


def test_rings_without_end_are_refused_before_they_take_long() -> None:
    holes = [[[x, 2], [x + 0.1, 2], [x, 2.1], [x, 2]] for x in range(1500)]
    with pytest.raises(ValueError, match="too many rings"):
        one({"rings": [each for hole in holes for each in (hole, hole[::-1])]})


@pytest.mark.parametrize("document", [{"x": 8, "y": 47}, {"geometry": {"x": 8, "y": 47}, "attributes": {"a": 1}}])
def test_a_geometry_and_a_feature_are_features(document: dict[str, Any]) -> None:
    (feature,) = collection(document)["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [8, 47]}
    assert feature["properties"] == document.get("attributes", {})


def test_a_feature_set_has_the_members_that_esri_names() -> None:
    properties = {"name": "Zug", "people": 30_000, "share": 0.5, "more": {"a": [1]}, "none": None, "flag": True}
    point = {"type": "Point", "coordinates": [8.5, 47]}
    found = feature_set({"type": "Feature", "geometry": point, "properties": properties})
    assert list(found) == ["displayFieldName", "geometryType", "spatialReference", "fields", "features"]
    assert found["geometryType"] == "esriGeometryPoint"
    assert found["spatialReference"] == {"wkid": 4326, "latestWkid": 4326}
    assert [(field["name"], field["type"].removeprefix("esriFieldType")) for field in found["fields"]] == [
        *(("name", "String"), ("people", "Integer"), ("share", "Double")),
        *(("more", "String"), ("none", "String"), ("flag", "String")),
    ]
    (feature,) = found["features"]
    assert feature["geometry"] == {"x": 8.5, "y": 47}
    assert feature["attributes"] == {**properties, "more": '{"a": [1]}', "flag": "true"}


def test_the_id_of_a_feature_is_an_attribute() -> None:
    found = feature_set({"type": "Feature", "id": 7, "geometry": None, "properties": {"a": "b"}})
    assert found["features"] == [{"attributes": {"id": 7, "a": "b"}}]


@pytest.mark.parametrize(
    "document",
    [
        {"type": "GeometryCollection", "geometries": []},
        {"type": "Point", "coordinates": [2_600_000, 1_200_000]},  # Swiss metres
        {"type": "Point"},
        {"type": "FeatureCollection"},
        {"type": "Polygon", "coordinates": [[["x"]]]},
        {"no": "type"},
        {"type": "FeatureCollection", "features": [5]},
        {"type": "Feature", "geometry": {"type": "Point"}},
        {"type": "Feature", "geometry": None, "properties": [5]},
    ],
)
def test_what_no_feature_set_can_hold_is_told(document: dict[str, Any]) -> None:
    with pytest.raises(NotEsri):
        feature_set(document)


@pytest.mark.parametrize("empty", [None, {}, []])
def test_a_feature_without_a_geometry_is_one(empty: Any) -> None:
    found = feature_set({"type": "Feature", "geometry": empty, "properties": {"a": 1}})
    assert found["features"] == [{"attributes": {"a": 1}}]


def test_features_of_several_kinds_are_no_feature_set() -> None:
    shapes = [{"type": "Point", "coordinates": [8, 47]}, {"type": "MultiPoint", "coordinates": [[8, 47]]}]
    with pytest.raises(NotEsri, match="several kinds"):
        feature_set({"type": "FeatureCollection", "features": [{"geometry": shape} for shape in shapes]})


degrees = st.integers(-80, 80)
positions = st.tuples(degrees, degrees).map(list)


@st.composite
def boxes(draw: st.DrawFn) -> list[list[list[int]]]:
    """A polygon with a hole, as GeoJSON turns its rings."""
    x, y, size = draw(degrees), draw(degrees), 8
    outer = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
    hole = [[x + 2, y + 2], [x + 2, y + 4], [x + 4, y + 4], [x + 4, y + 2], [x + 2, y + 2]]
    return [outer, hole] if draw(st.booleans()) else [outer]


geometries = st.one_of(
    st.builds(lambda x, y: {"type": "Point", "coordinates": [x, y]}, degrees, degrees),
    st.builds(lambda x, y, z: {"type": "Point", "coordinates": [x, y, z]}, degrees, degrees, degrees),
    st.builds(lambda points: {"type": "MultiPoint", "coordinates": points}, st.lists(positions, min_size=1)),
    st.builds(lambda line: {"type": "LineString", "coordinates": line}, st.lists(positions, min_size=2)),
    st.builds(lambda rings: {"type": "Polygon", "coordinates": rings}, boxes()),
)  # fmt: skip
attributes = st.dictionaries(st.text(max_size=9), st.one_of(st.none(), st.text(max_size=9)), max_size=3)


@given(geometries, attributes)
def test_a_feature_comes_back_as_it_was(geometry: dict[str, Any], properties: dict[str, Any]) -> None:
    features = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": geometry, "properties": properties}],
    }
    assert collection(feature_set(features)) == features
