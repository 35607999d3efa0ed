"""From a body and a process description to arguments."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from geomill.app.exchange import InvalidRequest
from geomill.app.exchange.inputs import ExecuteRequest, OutputRequest, check, read, stage
from geomill.app.exchange.schema import compile_schema
from geomill.processes import BadInput

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
BBOX = {
    "allOf": [{"type": "object", "format": "ogc-bbox", "required": ["bbox"], "properties": {"bbox": {}, "crs": {}}}]
}
GEOMETRY = {"type": "object", "format": "geojson-geometry"}
TIFF = {"type": "string", "contentEncoding": "binary", "contentMediaType": "image/tiff; application=geotiff"}
JP2 = {"type": "string", "contentEncoding": "binary", "contentMediaType": "image/jp2"}
GML = {"type": "string", "contentMediaType": "application/gml+xml; version=3.2"}
TEXT_FILE = {"type": "string", "contentEncoding": "binary", "contentMediaType": "text/plain"}
GEOJSON_FILE = {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/geo+json"}
DIRECTORY = {"type": "object", "format": "directory", "required": ["href"]}
MIXED = {"oneOf": [{"type": "string"}, {"type": "object"}]}
POINT = {"type": "Point", "coordinates": [7, 51]}
DATA = b"II*\0 pixels"
BASE64 = base64.b64encode(DATA).decode()


def described(schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A process with one input, `x`, and two outputs."""
    outputs = {"image": {"schema": TIFF}, "text": {"schema": {"type": "string"}}}
    return {"id": "p", "inputs": {"x": {"schema": schema, **more}}, "outputs": outputs}


def request(value: Any) -> ExecuteRequest:
    return read(json.dumps({"inputs": {"x": value}}).encode())


@dataclass
class Web:
    """Addresses and what they give; what was asked for is kept in `seen`."""

    pages: dict[str, tuple[bytes, str]]
    seen: list[str]

    def fetch(self, href: str, directory: Path, media_type: str | None = None) -> "Page":
        self.seen.append(href)
        if href not in self.pages:
            raise ConnectionError("nobody there")
        data, sent = self.pages[href]
        path = directory / f"fetched-{len(self.seen)}"
        path.write_bytes(data)
        return Page(path, media_type or sent, href)


@dataclass(frozen=True)
class Page:
    path: Path
    media_type: str
    href: str


@pytest.fixture
def staged(tmp_path: Path) -> Callable[..., Any]:
    """The argument that a value becomes."""

    def run(
        schema: Mapping[str, Any], value: Any, pages: dict[str, tuple[bytes, str]] | None = None, **more: Any
    ) -> Any:
        description = described(schema, **more)
        check(request(value), description)
        return stage(request(value), description, Web(pages or {}, []).fetch, tmp_path / "inputs")["x"]

    return run


# --- values


@pytest.mark.parametrize(
    "schema, value, argument",
    [
        ({"type": "string"}, "a", "a"),
        ({"type": "string"}, {"value": "a"}, "a"),
        ({"type": "string"}, {"value": "a", "mediaType": "text/plain", "x": 1}, "a"),
        ({"type": "number"}, 5, 5),
        ({"type": "integer", "minimum": 0}, {"value": 5}, 5),
        ({"type": "boolean"}, True, True),
        ({"type": "string", "format": "date-time"}, "2021-03-06T07:21:00", "2021-03-06T07:21:00"),
        ({"type": "string", "format": "date-time"}, "2021-03-06T07:21:00.5+01:00", "2021-03-06T07:21:00.5+01:00"),
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"value": None}, None),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, 5, 5),
        ({"type": "array", "items": {"type": "integer"}}, [1, 2], [1, 2]),
        ({"type": "array", "items": {"type": "integer"}}, {"value": [1, 2]}, [1, 2]),
        ({"type": "array", "items": {"type": "integer"}}, 1, [1]),
        ({"type": "array", "items": {"type": "integer"}}, {"value": 1}, [1]),
        ({"type": "array", "items": {"type": "object"}}, {"a": 1}, [{"a": 1}]),
        ({"type": "array", "items": DIRECTORY}, {"href": "http://h/"}, [{"href": "http://h/"}]),
        ({"oneOf": [{"type": "string"}, {"type": "array"}]}, "a", "a"),
        ({"type": "object"}, {"a": 1}, {"a": 1}),
        ({"type": "object"}, {"value": {"a": 1}}, {"a": 1}),
        ({"type": "object"}, {"value": 5, "unit": "m"}, {"value": 5, "unit": "m"}),
        ({"type": "object", "properties": {"value": {"type": "number"}}}, {"value": 5}, {"value": 5}),
        ({"type": "object", "properties": {"value": {"type": "number"}}}, {"value": {"value": 5}}, {"value": 5}),
        ({"type": "object", "properties": {"href": {"type": "string"}}}, {"href": "a"}, {"href": "a"}),
        (MIXED, "a", "a"),
        (MIXED, {"value": "teststring"}, "teststring"),
        (MIXED, {"value": {"a": 1}, "format": {"mediaType": "application/json"}}, {"a": 1}),
        (GEOMETRY, POINT, POINT),
        (GEOMETRY, {"value": POINT, "mediaType": "application/geo+json"}, POINT),
        (GEOMETRY, {"value": base64.b64encode(json.dumps(POINT).encode()).decode(), "encoding": "base64"}, POINT),
        ({"oneOf": [GML, GEOMETRY]}, {"value": POINT}, POINT),
        (BBOX, {"bbox": [51.9, 7, 52, 7.1]}, {"bbox": [51.9, 7, 52, 7.1]}),
        (BBOX, {"bbox": [170, 0, 1, -170, 1, 9], "crs": CRS84}, {"bbox": [170, 0, 1, -170, 1, 9], "crs": CRS84}),
        (BBOX, {"bbox": [0, 9, 1, 1], "crs": "EPSG:3035"}, {"bbox": [0, 9, 1, 1], "crs": "EPSG:3035"}),
        (BBOX, {"value": {"bbox": [0, 0, 1, 1]}}, {"bbox": [0, 0, 1, 1]}),
        (BBOX, {"bbox": [0, 0, 1, 1], "crs": None}, {"bbox": [0, 0, 1, 1]}),
        (BBOX, {"value": {"bbox": [0, 0, 1, 1], "crs": None}}, {"bbox": [0, 0, 1, 1]}),
    ],
)
def test_a_value_is_understood_in_every_form(
    staged: Callable[..., Any], schema: dict[str, Any], value: Any, argument: Any
) -> None:
    assert staged(schema, value) == argument


@pytest.mark.parametrize(
    "schema, value, message",
    [
        ({"type": "number"}, "far", 'must be a number, not "far"'),
        ({"type": "number"}, {"value": "far"}, 'must be a number, not "far"'),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, 0, "must be more than 0, not 0"),
        ({"type": "number", "exclusiveMaximum": 10}, 10, "must be less than 10, not 10"),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'must be "a" or "b", not "c"'),
        ({"type": "string", "format": "date"}, "2021-02-30", "must be a date such as"),
        ({"type": "string", "format": "uri"}, "not a uri", "must be a URI such as"),
        ({"type": "string", "maxLength": 3}, "x" * 100_000, "at most 3 characters long"),
        ({"type": "array", "minItems": 1, "items": {}}, [], "must have at least 1 item, not an empty array"),
        ({"type": "array", "items": {"type": "integer"}}, "b", '[0] must be an integer, not "b"'),
        ({"type": "array", "items": {"type": "integer"}}, {"value": None}, "must be an array, not null"),
        (DIRECTORY, "http://h/", 'must be an object, not "http://h/"'),
        ({"type": "array", "items": {"type": "integer"}}, [1, "b"], '[1] must be an integer, not "b"'),
        ({"type": "object", "required": ["a"]}, {"b": 1}, 'lacks the member "a"'),
        ({"type": "object", "additionalProperties": False}, {"b": 1}, "has a member that is not described"),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, {"b": 1}, 'has "b", which is not'),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, {"a": 1}, "a must be an array, not 1"),
        (MIXED, 5, "must be a string or an object, not 5"),
        (MIXED, {"value": 5, "mediaType": 5}, "mediaType must be a string, not 5"),
        (GEOMETRY, {"type": "Polygon"}, 'lacks the member "coordinates"'),
        (GEOMETRY, {"type": "Polygon", "coordinates": [[1, 2]]}, "coordinates[0] must have at least 4 items"),
        (GEOMETRY, {"type": "Polygon", "coordinates": [[[1]] * 4]}, "coordinates[0][0] must have at least 2 items"),
        (GEOMETRY, {"type": "Point", "coordinates": ["7", 51]}, 'coordinates[0] must be a number, not "7"'),
        (GEOMETRY, {"type": "Polygone", "coordinates": [1]}, 'type must be "Point"'),
        (
            {"oneOf": [GML, GEOMETRY]},
            {"value": POINT, "mediaType": "text/csv"},
            "mediaType must be application/gml+xml",
        ),
        (BBOX, {"bbox": [1, 2, "x", 4]}, 'bbox[2] must be a number, not "x"'),
        (BBOX, {"bbox": [1, 2, 3]}, "bbox must have 4 or 6 items, not 3"),
        (BBOX, [1, 2, 3, 4], "must be an object, not an array of 4"),
        (BBOX, {"bbox": [1, 2, 3, 4], "crs": "wgs84"}, "crs must name a coordinate reference system"),
        (BBOX, {"bbox": [0, 9, 1, 1]}, "bbox[3] must not be below the lower latitude, 9, but is 1"),
        (TIFF, "not base64!", "must be base64"),
        (TIFF, "abc", "must be base64"),
        (TIFF, "https://h/a.tif", "is a file: give its address as {\"href\": \"https://h/a.tif\"}"),
        (TIFF, "gr\xfc\xdfe", "must be base64; it has"),
        (TIFF, 5, "must be base64 text"),
        (TIFF, {"type": "wrong/type_1"}, 'type must be image/tiff; application=geotiff, not "wrong/type_1"'),
        (TIFF, {"value": BASE64, "mediaType": "image/png"}, "mediaType must be image/tiff"),
        (TIFF, {"href": "https://example.org/a", "type": "image/png"}, "type must be image/tiff"),
        ({"oneOf": [TIFF, JP2]}, {"href": "https://example.org/a", "type": "a/b"}, "geotiff or image/jp2, not"),
        ({"oneOf": [TIFF, JP2]}, {"b": 1}, "must be base64 text"),
        (GEOMETRY, {"href": 5}, "href must be the address to fetch the value from, not 5"),
        (GEOMETRY, {"href": "data/a.json"}, "href must be an absolute http, https or s3 address"),
        (GEOMETRY, {"href": "ftp://example.org/a"}, "href must be an absolute http, https or s3 address"),
        (GEOMETRY, {"href": "http://[::1/a"}, "href must be an absolute http, https or s3 address"),
        (GEOMETRY, {"href": "https://example.org/a", "type": "image/tiff"}, "type must be application/json"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_what_was_expected(
    schema: dict[str, Any], value: Any, message: str
) -> None:
    with pytest.raises(BadInput) as error:
        check(request(value), described(schema))
    assert error.value.input_id == "x"
    assert message in error.value.message
    assert len(error.value.message) < 300


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({}, "x: is required and was not given"),
        ({"x": 1, "X": 2}, 'X: is no input of this process. Did you mean "x"?'),
        ({"x": 1, "other": 2}, "other: is no input of this process. There is only x."),
    ],
)
def test_missing_and_unknown_inputs_are_named(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as error:
        check(ExecuteRequest(inputs=inputs), described({"type": "integer"}))
    assert message in str(error.value)


@pytest.mark.parametrize(
    "outputs, message",
    [
        ({"txt": OutputRequest()}, '"txt" is no output of this process. Did you mean "text"?'),
        ({"image": OutputRequest(None, "image/png")}, "only as image/tiff"),
    ],
)
def test_outputs_that_the_process_cannot_give_are_refused(outputs: dict[str, OutputRequest], message: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        check(ExecuteRequest(inputs={"x": 1}, outputs=outputs), described({"type": "integer"}))
    assert message in str(error.value)


@pytest.mark.parametrize("media_type", ["image/tiff", "image/tiff; application=geotiff"])
def test_an_output_may_be_asked_for_in_its_own_media_type(media_type: str) -> None:
    outputs = {"image": OutputRequest(None, media_type), "text": OutputRequest(None, "text/plain")}
    check(ExecuteRequest(inputs={"x": 1}, outputs=outputs), described({"type": "integer"}))


@pytest.mark.parametrize(
    "occurs, value, argument",
    [
        ({"maxOccurs": 3}, [1, 2], [1, 2]),
        ({"maxOccurs": 3}, 1, [1]),
        ({"maxOccurs": "unbounded"}, [1, {"value": 2}], [1, 2]),
        ({"minOccurs": 0, "maxOccurs": "unbounded"}, [], []),
    ],
)
def test_an_input_with_several_values_becomes_a_list(
    staged: Callable[..., Any], occurs: dict[str, Any], value: Any, argument: Any
) -> None:
    assert staged({"type": "integer"}, value, **occurs) == argument


def test_an_array_is_one_value_where_the_values_are_arrays(staged: Callable[..., Any]) -> None:
    row = {"type": "array", "items": {"type": "integer"}}
    assert staged(row, [1, 2], maxOccurs=5) == [[1, 2]]
    assert staged(row, [[1], [2]], maxOccurs=5) == [[1], [2]]


@pytest.mark.parametrize(
    "occurs, value, message",
    [
        ({"maxOccurs": 2}, [1, 2, 3], "takes 1 to 2 values, not 3"),
        ({"minOccurs": 2, "maxOccurs": "unbounded"}, 1, "takes 2 to 100000 values, not 1"),
        ({"maxOccurs": "unbounded"}, [1] * 100_001, "takes 1 to 100000 values, not 100001"),
        ({"maxOccurs": 2}, [1, "b"], '[1] must be an integer, not "b"'),
        ({}, [1], "must be an integer, not an array of 1"),
        ({"valuePassing": ["byReference"]}, 1, "cannot be given by value"),
        ({"valuePassing": ["byValue"]}, {"href": "https://example.org/a"}, "cannot be given by reference"),
    ],
)
def test_number_and_passing_of_values_are_checked(occurs: dict[str, Any], value: Any, message: str) -> None:
    with pytest.raises(BadInput) as error:
        check(request(value), described({"type": "integer"}, **occurs))
    assert message in error.value.message


def test_an_address_that_would_be_refused_is_refused_at_once() -> None:
    def refuse(href: str) -> None:
        raise ValueError(f"{href} is private")

    with pytest.raises(BadInput, match=r"\[1\] cannot be fetched: http://10.0.0.1/ is private"):
        check(request([POINT, {"href": "http://10.0.0.1/"}]), described(GEOMETRY, maxOccurs=2), refuse)


# --- staging


@pytest.mark.parametrize(
    "schema, value, name, data, media_type",
    [
        (TIFF, BASE64, "x.tif", DATA, "image/tiff; application=geotiff"),
        (TIFF, BASE64[:4] + "\r\n " + BASE64[4:], "x.tif", DATA, "image/tiff; application=geotiff"),
        (TIFF, {"value": BASE64, "encoding": "base64", "mediaType": "image/tiff"}, "x.tif", DATA, "image/tiff"),
        ({"type": "string", "format": "byte"}, BASE64, "x", DATA, "application/octet-stream"),
        ({"oneOf": [TIFF, JP2]}, {"value": BASE64, "mediaType": "image/jp2"}, "x.jp2", DATA, "image/jp2"),
        (TEXT_FILE, {"value": "a b c", "mediaType": "text/plain"}, "x.txt", b"a b c", "text/plain"),
        (TEXT_FILE, "YSBiIGM=", "x.txt", b"a b c", "text/plain"),
        (
            TEXT_FILE,
            {"value": "YSBiIGM=", "mediaType": "text/plain", "encoding": "base64"},
            "x.txt",
            b"a b c",
            "text/plain",
        ),
        (GEOJSON_FILE, {"value": POINT}, "x.geojson", json.dumps(POINT).encode(), "application/geo+json"),
        (GEOJSON_FILE, POINT, "x.geojson", json.dumps(POINT).encode(), "application/geo+json"),
        ({"oneOf": [GML, GEOMETRY]}, "<gml/>", "x.gml", b"<gml/>", "application/gml+xml; version=3.2"),
        (
            GML,
            {"value": base64.b64encode(b"<a/>").decode(), "encoding": "base64"},
            "x.gml",
            b"<a/>",
            GML["contentMediaType"],
        ),
    ],
)
def test_inline_content_becomes_a_file(
    staged: Callable[..., Any],
    tmp_path: Path,
    schema: dict[str, Any],
    value: Any,
    name: str,
    data: bytes,
    media_type: str,
) -> None:
    assert staged(schema, value) == {"$file": str(tmp_path / "inputs" / name), "type": media_type}
    assert (tmp_path / "inputs" / name).read_bytes() == data


@pytest.mark.parametrize("several", [{"maxOccurs": 5}, {}])
def test_several_files_are_staged_each_in_its_own_form(staged: Callable[..., Any], several: dict[str, Any]) -> None:
    schema = TIFF if several else {"type": "array", "minItems": 2, "items": TIFF}
    pages = {"https://example.org/a": (b"fetched", "image/tiff")}
    files = staged(schema, [BASE64, {"value": BASE64}, {"href": "https://example.org/a"}], pages, **several)
    assert [Path(file["$file"]).read_bytes() for file in files] == [DATA, DATA, b"fetched"]


@pytest.mark.parametrize("value", [BASE64, {"value": BASE64, "mediaType": "image/tiff"}, {"href": "https://h/a"}])
def test_a_bare_file_stands_for_an_array_of_one(staged: Callable[..., Any], value: Any) -> None:
    [file] = staged({"type": "array", "items": TIFF}, value, {"https://h/a": (DATA, "image/tiff")})
    assert Path(file["$file"]).read_bytes() == DATA


@pytest.mark.parametrize(
    "schema, sent, argument",
    [
        (GEOMETRY, (json.dumps(POINT).encode(), "application/geo+json"), POINT),
        (GEOMETRY, (json.dumps(POINT).encode(), "text/plain"), POINT),
        ({"type": "string"}, ("gr\xfcn".encode(), "text/plain"), "gr\xfcn"),
        ({"type": "string"}, (b'{"a": 1}', "application/json"), '{"a": 1}'),
        (MIXED, (b'{"a": 1}', "application/json"), {"a": 1}),
        (MIXED, (b"plain", "text/plain"), "plain"),
        (MIXED, (b"5", "text/plain"), "5"),
        ({"type": "integer"}, (b"5", "application/octet-stream"), 5),
        ({"oneOf": [GML, GEOMETRY]}, (json.dumps(POINT).encode(), "application/geo+json"), POINT),
    ],
)
def test_a_value_by_reference_is_fetched_and_parsed(
    staged: Callable[..., Any], tmp_path: Path, schema: dict[str, Any], sent: tuple[bytes, str], argument: Any
) -> None:
    assert staged(schema, {"href": "https://example.org/a"}, {"https://example.org/a": sent}) == argument
    assert not list((tmp_path / "inputs").iterdir())


@pytest.mark.parametrize(
    "schema, stated, sent, media_type",
    [
        (TIFF, None, "application/octet-stream", "image/tiff; application=geotiff"),
        (TIFF, None, "text/plain", "image/tiff; application=geotiff"),
        (TIFF, None, "image/tiff", "image/tiff"),
        (TIFF, "image/tiff; application=geotiff", "image/tiff", "image/tiff; application=geotiff"),
        ({"oneOf": [TIFF, JP2]}, None, "image/jp2", "image/jp2"),
        ({"oneOf": [GML, GEOMETRY]}, None, "application/gml+xml", "application/gml+xml"),
        ({"type": "string", "format": "binary"}, None, "application/zip", "application/zip"),
    ],
)
def test_a_file_by_reference_stays_a_file(
    staged: Callable[..., Any], schema: dict[str, Any], stated: str | None, sent: str, media_type: str
) -> None:
    file = staged(schema, {"href": "https://example.org/a", "type": stated}, {"https://example.org/a": (DATA, sent)})
    assert Path(file["$file"]).read_bytes() == DATA
    assert file["type"] == media_type


@pytest.mark.parametrize(
    "schema, sent, message",
    [
        (GEOMETRY, b'{"type": "Polygon"}', 'lacks the member "coordinates"'),
        (GEOMETRY, b"<html>", "must be JSON, but what was given is not JSON"),
        (GEOMETRY, b"[" * 100_000, "nested deeper than 64"),
        ({"type": "integer"}, b"NaN", "NaN"),
        ({"type": "string"}, b"\xff", "must be text in UTF-8"),
        (GEOMETRY, None, "cannot be fetched: nobody there"),
    ],
)
def test_what_was_fetched_is_checked_as_well(
    staged: Callable[..., Any], schema: dict[str, Any], sent: bytes | None, message: str
) -> None:
    pages = {"https://example.org/a": (sent, "application/json")} if sent is not None else {}
    with pytest.raises(BadInput) as error:
        staged(schema, {"href": "https://example.org/a"}, pages)
    assert error.value.input_id == "x"
    assert message in error.value.message


def test_a_stac_document_by_reference_gets_absolute_addresses(staged: Callable[..., Any]) -> None:
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "links": [{"rel": "root", "href": "../catalog.json"}, {"rel": "odd", "href": None}],
        "assets": {"red": {"href": "./B04.tif"}, "nir": {"href": "s3://bucket/B08.tif"}, "odd": {"href": "http://[a"}},
    }
    href = "https://example.org/stac/items/one.json"
    pages = {href: (json.dumps({"type": "FeatureCollection", "features": [item]}).encode(), "application/geo+json")}
    resolved = staged({"type": "object"}, {"href": href}, pages)["features"][0]
    assert [link["href"] for link in resolved["links"]] == ["https://example.org/stac/catalog.json", None]
    assert {name: asset["href"] for name, asset in resolved["assets"].items()} == {
        "red": "https://example.org/stac/items/B04.tif",
        "nir": "s3://bucket/B08.tif",
        "odd": "http://[a",
    }


def test_what_was_not_given_is_left_to_the_function_unless_the_description_alone_has_a_default(tmp_path: Path) -> None:
    inputs = {
        "given": {"schema": {"type": "integer"}},
        "optional": {"schema": {"type": "integer", "default": 1}, "minOccurs": 0},
        "described": {"schema": {"type": "integer", "default": 2}},
    }
    asked = ExecuteRequest(inputs={"given": 0})
    check(asked, {"inputs": inputs})
    assert stage(asked, {"inputs": inputs}, Web({}, []).fetch, tmp_path) == {"given": 0, "described": 2}


@pytest.mark.parametrize("type_", [None, "application/zip", "text/html"])
def test_a_directory_by_reference_is_left_to_its_runner(staged: Callable[..., Any], type_: str | None) -> None:
    short = {**DIRECTORY, "format": "http://www.opengis.net/def/format/ogcapi-processes/0/directory"}
    for directory in (DIRECTORY, short):
        given = {"href": "https://example.org/a/", "type": type_}
        assert staged(directory, given) == given


@pytest.mark.parametrize(
    "schema",
    [{"type": "nonsense"}, {"type": "string", "pattern": "("}, {"properties": 3}, {"minimum": "a"}],
)
def test_a_schema_that_nothing_can_be_checked_against_is_found(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        compile_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"enum": [], "required": []},
        {"$ref": "http://127.0.0.1:9/x.yaml"},
        {"type": ["string", "null"]},
        {"const": 1},
    ],
)
def test_a_schema_in_another_dialect_will_do_and_is_never_fetched(schema: dict[str, Any]) -> None:
    compile_schema(schema)
