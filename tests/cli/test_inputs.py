"""-i name=value, by the described schema."""

import pytest

from geomill.app.cli.inputs import parse
from geomill.client import InputError

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
OBJECT = {"type": "object"}
TIFF = {"type": "string", "contentEncoding": "binary", "contentMediaType": "image/tiff"}
BBOX = {"allOf": [{"type": "object", "format": "ogc-bbox", "required": ["bbox"]}]}
GEOMETRY = {"type": "object", "format": "geojson-geometry"}
POINT = '{"type": "Point", "coordinates": [1, 2]}'


def read(schema, *values):
    return parse([f"x={value}" for value in values], {"inputs": {"x": {"schema": schema}}})["x"]


@pytest.mark.parametrize(
    "schema, values, expected",
    [
        (TEXT, ["5"], "5"),
        (TEXT, ["true"], "true"),
        (TEXT, ["a=b"], "a=b"),
        (TEXT, ["@@home"], "@home"),
        ({**TEXT, "nullable": True}, ["5"], "5"),
        (NUMBER, ["5"], 5),
        (NUMBER, ["2.5e3"], 2500.0),
        ({"type": "integer"}, ["5"], 5),
        ({"type": "boolean"}, ["true"], True),
        ({**NUMBER, "nullable": True}, ["null"], None),
        ({"oneOf": [NUMBER, TEXT]}, ["5"], 5),
        ({"oneOf": [NUMBER, TEXT]}, ["five"], "five"),
        ({"type": ["number", "string"]}, ["five"], "five"),
        ({}, ["[1]"], [1]),
        ({}, ["one"], "one"),
        (OBJECT, ['{"a": 1}'], {"value": {"a": 1}}),
        (OBJECT, ["{}"], {"value": {}}),
        (OBJECT, ['{"value": {"a": 1}}'], {"value": {"a": 1}}),
        (OBJECT, ['{"href": "https://example.org/a"}'], {"href": "https://example.org/a"}),
        (OBJECT, ["https://example.org/a"], {"href": "https://example.org/a"}),
        (GEOMETRY, [POINT], {"value": {"type": "Point", "coordinates": [1, 2]}}),
        (BBOX, ["[1, 2, 3, 4]"], {"bbox": [1, 2, 3, 4]}),
        (BBOX, ['{"bbox": [1, 2, 3, 4]}'], {"bbox": [1, 2, 3, 4]}),
        (TIFF, ["https://example.org/a.tif"], {"href": "https://example.org/a.tif"}),
        (TIFF, ["SUkq"], "SUkq"),
        (TIFF, ['{"href": "https://example.org/a.tif"}'], {"href": "https://example.org/a.tif"}),
        ({"type": "array", "items": NUMBER}, ["[1, 2]"], [1, 2]),
        ({"type": "array", "items": NUMBER}, ["1", "2"], [1, 2]),
        ({"type": "array", "items": NUMBER}, ["1"], [1]),
        ({"type": "array", "items": TEXT}, ["1"], ["1"]),
        (
            {"type": "array", "items": TIFF},
            ["http://a/1", "http://a/2"],
            [{"href": "http://a/1"}, {"href": "http://a/2"}],
        ),
        (NUMBER, ["1", "2"], [1, 2]),
        (OBJECT, ["{}", "{}"], [{"value": {}}, {"value": {}}]),
    ],
)
def test_a_value_is_read_by_its_schema(schema, values, expected):
    assert read(schema, *values) == expected


@pytest.mark.parametrize(
    "schema, content, expected",
    [
        (TEXT, b"two\nlines\n", "two\nlines\n"),
        (NUMBER, b"5\n", 5),
        (OBJECT, b'{"a": 1}', {"value": {"a": 1}}),
        ({"type": "array"}, b"[1, 2]", [1, 2]),
        (TIFF, b"II*\0", {"value": "SUkqAA==", "encoding": "base64", "mediaType": "image/tiff"}),
        (
            {"oneOf": [{**TIFF, "contentMediaType": "image/png"}, TIFF]},
            b"x",
            {"value": "eA==", "encoding": "base64", "mediaType": "image/tiff"},
        ),
        ({**TIFF, "contentMediaType": None}, b"x", {"value": "eA==", "encoding": "base64", "mediaType": "image/tiff"}),
        (
            {"type": "string", "format": "byte"},
            b"x",
            {"value": "eA==", "encoding": "base64", "mediaType": "image/tiff"},
        ),
        ({"type": "array", "items": TEXT}, b"text", ["text"]),
    ],
)
def test_a_file_is_read_by_its_schema(tmp_path, schema, content, expected):
    path = tmp_path / "input.tif"
    path.write_bytes(content)
    assert read(schema, f"@{path}") == expected


@pytest.mark.parametrize(
    "schema, value, message",
    [
        (NUMBER, "five", "-i x: expected number in JSON, found five"),
        (OBJECT, "{", "-i x: expected object in JSON, found {"),
        (TEXT, "@/nowhere", "/nowhere: No such file or directory"),
        ({"type": "array", "items": NUMBER}, "@/nowhere", "/nowhere: No such file or directory"),
        (TIFF, "{", "-i x: expected JSON, found {"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(schema, value, message):
    with pytest.raises(InputError) as refused:
        read(schema, value)
    assert str(refused.value) == message


def test_a_file_that_is_no_text_is_not_sent_as_text(tmp_path):
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is text, the file is not"):
        read(TEXT, f"@{tmp_path / 'a'}")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="no such input; the nearest is distance"):
        parse(["distence=1"], {"inputs": {"distance": {}, "shape": {}}})


@pytest.mark.parametrize("text", ["x", "=1"])
def test_an_input_needs_a_name_and_a_value(text):
    with pytest.raises(InputError, match="expected name=value or name=@path"):
        parse([text], {})


def test_a_service_that_describes_no_inputs_gets_what_is_given():
    assert parse(["a=1", "b=text"], {"id": "p"}) == {"a": 1, "b": "text"}
