"""The text of a parameter becomes the value that its process takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geomill.app.arcgis.parameters import data_type, identifier, names
from geomill.app.arcgis.rings import Steps
from geomill.app.arcgis.values import as_given, read, shown
from geomill.processes import BadInput

TEXT, WHOLE, NUMBER, FLAG = ({"type": each} for each in ("string", "integer", "number", "boolean"))
MOMENT, DAY = {"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}
FILE = {"type": "string", "contentMediaType": "text/csv"}
SCENE = {"type": "string", "contentEncoding": "binary", "contentMediaType": "image/tiff; application=geotiff"}
GEOMETRY = {"type": "object", "format": "geojson-geometry"}
COLLECTION = {"allOf": [{"type": "object"}], "format": "geojson-feature-collection"}
RECORD = {"type": "object", "properties": {"a": WHOLE}}
POINT = '{"x": 8, "y": 47}'


@pytest.mark.parametrize(
    "schema, kind",
    [
        (TEXT, "GPString"),
        (WHOLE, "GPLong"),
        (NUMBER, "GPDouble"),
        (FLAG, "GPBoolean"),
        (MOMENT, "GPDate"),
        (DAY, "GPDate"),
        (FILE, "GPDataFile"),
        (SCENE, "GPRasterDataLayer"),
        ({"type": "string", "format": "directory"}, "GPDataFile"),
        (GEOMETRY, "GPFeatureRecordSetLayer"),
        (COLLECTION, "GPFeatureRecordSetLayer"),
        ({"oneOf": [GEOMETRY, FILE]}, "GPFeatureRecordSetLayer"),
        ({"type": "array", "items": WHOLE}, "GPMultiValue:GPLong"),
        ({"type": "array", "items": SCENE}, "GPMultiValue:GPRasterDataLayer"),
        ({"type": "array", "items": {"type": "array", "items": WHOLE}}, "GPString"),
        ({"type": "array"}, "GPMultiValue:GPString"),
        (RECORD, "GPString"),
        ({"oneOf": [TEXT, RECORD]}, "GPString"),
        ({"oneOf": [WHOLE, NUMBER]}, "GPDouble"),
        ({"oneOf": [WHOLE, {"enum": [None]}]}, "GPLong"),
        ({"$ref": "#/$defs/one", "$defs": {"one": WHOLE}}, "GPLong"),
        ({}, "GPString"),
    ],
)
def test_a_schema_has_a_data_type(schema: dict[str, Any], kind: str) -> None:
    assert data_type({"schema": schema}) == kind


@pytest.mark.parametrize("most", [2, "unbounded"])
def test_an_input_of_several_values_is_a_multivalue(most: Any) -> None:
    assert data_type({"schema": WHOLE, "maxOccurs": most}) == "GPMultiValue:GPLong"


@pytest.mark.parametrize(
    "schema, text, value",
    [
        (TEXT, " as it is ", " as it is "),
        (TEXT, "[1]", "[1]"),
        (WHOLE, " -5 ", -5),
        (NUMBER, "5", 5),
        (NUMBER, "1e3", 1000.0),
        (NUMBER, "-0.5", -0.5),
        (FLAG, "True", True),
        (FLAG, "false", False),
        (MOMENT, "1769860800123", "2026-01-31T12:00:00.123Z"),
        (MOMENT, "-1", "1969-12-31T23:59:59.999Z"),
        (MOMENT, "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        (DAY, "1769860800000", "2026-01-31"),
        (FILE, '{"url": "https://example.org/a.csv"}', {"href": "https://example.org/a.csv"}),
        (FILE, "https://example.org/a.csv", {"href": "https://example.org/a.csv"}),
        (SCENE, '{"url": "s3://bucket/a.tif", "format": "tif"}', {"href": "s3://bucket/a.tif"}),
        (RECORD, '{"a": 1}', {"a": 1}),
        ({"oneOf": [TEXT, RECORD]}, '{"a": 1}', {"a": 1}),
        ({"oneOf": [TEXT, RECORD]}, "a", "a"),
        ({"type": "array", "items": WHOLE}, "[1, 2]", [1, 2]),
        ({"type": "array", "items": WHOLE}, '["1", "2"]', [1, 2]),
        ({"type": "array", "items": WHOLE}, "1", [1]),
        ({"type": "array", "items": TEXT}, "a;b", ["a;b"]),
        ({"type": "array", "items": FILE}, '[{"url": "https://a/b"}]', [{"href": "https://a/b"}]),
        (GEOMETRY, POINT, {"type": "Point", "coordinates": [8, 47]}),
        (GEOMETRY, '{"type": "Point", "coordinates": [8, 47]}', {"type": "Point", "coordinates": [8, 47]}),
        (GEOMETRY, '{"url": "https://a/b"}', {"href": "https://a/b"}),
        (GEOMETRY, "https://a/b", {"href": "https://a/b"}),
    ],
)
def test_a_text_becomes_a_value(schema: dict[str, Any], text: str, value: Any) -> None:
    described = {"schema": schema}
    found = read("it", text, described, data_type(described), Steps())
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "schema, text, words",
    [
        (WHOLE, "5.5", "must be a whole number"),
        (WHOLE, "\u0665", "must be a whole number"),
        (WHOLE, "9" * 40, "must be a whole number"),
        (WHOLE, "+5", "must be a whole number"),
        (NUMBER, "nan", "must be a number"),
        (NUMBER, "1_000", "must be a number"),
        (NUMBER, "\u0661\u0662", "must be a number"),
        (NUMBER, ".5", "must be a number"),
        (NUMBER, "1e999", "must be a number"),
        (FLAG, "yes", "true or false"),
        (MOMENT, "9" * 20, "milliseconds since 1970"),
        (FILE, "a.csv", "an address"),
        (FILE, '{"url": 5}', "an address"),
        (FILE, '{"itemID": "i1"}', "itemID"),
        (FILE, "{", "JSON object"),
        (FILE, "http://[", "an address"),
        (RECORD, "a", "must be JSON"),
        (GEOMETRY, "a", "JSON"),
        (GEOMETRY, "[]", "JSON object"),
        (GEOMETRY, '{"features": []}', "takes one feature, not 0"),
        (GEOMETRY, '{"features": [{"geometry": null}]}', "without a geometry"),
        (GEOMETRY, '{"x": 8, "y": 47, "spatialReference": {"wkid": 3857}}', "wkid 3857"),
        ({"type": "array", "items": WHOLE}, '["1", "x"]', r"\[1\] must be a whole number"),
    ],
)
def test_what_is_wrong_with_a_text_is_told(schema: dict[str, Any], text: str, words: str) -> None:
    described = {"schema": schema}
    with pytest.raises(BadInput, match=words):
        read("it", text, described, data_type(described), Steps())


@pytest.mark.parametrize(
    "described, text, words",
    [
        ({"schema": {"type": "array", "items": DAY, "maxItems": 3}}, "[1, 2, 3, 4]", "takes 3 values at most, not 4"),
        ({"schema": DAY, "maxOccurs": 3}, "[1, 2, 3, 4]", "takes 3 values at most, not 4"),
        ({"schema": {"type": "array", "items": DAY}}, f"[{'1, ' * 10_000}1]", "takes 10000 values at most that are"),
        ({"schema": {"type": "array", "items": WHOLE}}, f'[{"1, " * 10_000}1, "1"]', "10000 values at most that are"),
    ],
)
def test_items_are_counted_before_any_is_read(described: dict[str, Any], text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read("it", text, described, data_type(described), Steps())


@pytest.mark.parametrize("item, each", [(WHOLE, "1"), (NUMBER, "0.5"), (TEXT, '"a"'), ({}, "null"), (FLAG, "true")])
def test_a_long_list_of_values_stays_as_it_is(item: dict[str, Any], each: str) -> None:
    described = {"schema": {"type": "array", "items": item}}
    assert len(read("it", f"[{f'{each}, ' * 20_000}{each}]", described, data_type(described), Steps())) == 20_001


def test_features_are_counted_before_any_is_read() -> None:
    described = {"schema": GEOMETRY}
    with pytest.raises(BadInput, match="takes one feature, not 2"):
        read("it", '{"features": ["no feature", 5]}', described, data_type(described), Steps())


def test_what_lies_in_what_is_found_out_within_one_bound_for_a_request() -> None:
    outer, hole = [[0, 0], [0, 9], [9, 9], [9, 0]], [[2, 2], [4, 2], [4, 4], [2, 4]]
    text, steps = json.dumps({"rings": [outer] * 100 + [hole] * 100}), Steps()
    described = {"schema": {"type": "array", "items": GEOMETRY}}
    for _ in range(4):
        read("it", text, {"schema": GEOMETRY}, "GPFeatureRecordSetLayer", steps)
    with pytest.raises(BadInput, match=r"\[0\] has too many rings"):
        read("it", f"[{text}]", described, data_type(described), steps)


@pytest.mark.parametrize(
    "value, kind, given",
    [
        ("a", "GPString", "a"),
        ({"a": "ü"}, "GPString", '{"a": "ü"}'),
        ("2026-01-31T12:00:00.123Z", "GPDate", 1769860800123),
        ("2026-01-31", "GPDate", 1769817600000),
        ("soon", "GPDate", "soon"),
        (None, "GPDate", None),
        ([1, 2], "GPMultiValue:GPLong", [1, 2]),
        (5, "GPLong", 5),
    ],
)
def test_a_value_is_shown(value: Any, kind: str, given: Any) -> None:
    assert shown(value, kind) == given


@pytest.mark.parametrize(
    "value, kind, given",
    [
        ({"href": "https://a/b", "type": "text/csv"}, "GPDataFile", {"url": "https://a/b"}),
        ({"value": "2026-01-31", "mediaType": "text/plain"}, "GPDate", 1769817600000),
        ([{"href": "https://a/b"}], "GPMultiValue:GPDataFile", [{"url": "https://a/b"}]),
        ({"value": 1, "unit": "m"}, "GPString", '{"value": 1, "unit": "m"}'),
    ],
)
def test_an_input_is_shown_as_it_would_be_given(value: Any, kind: str, given: Any) -> None:
    assert as_given(value, kind) == given


def test_names_are_identifiers_and_each_is_one_parameters_alone() -> None:
    assert identifier("water-mask") == "water_mask"
    assert identifier("3d") == "_3d"
    assert identifier("from") == "from_"
    found = names(["a-b", "a_b", "f", "f_", "token"])
    assert found == {"a_b_": "a-b", "a_b": "a_b", "f__": "f", "f_": "f_", "token_": "token"}
    assert names(["a", "b"], ["a"]) == {"a_": "a", "b": "b"}
