"""Values of Python as inputs of a request."""

from __future__ import annotations

import base64
import os
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy
import pytest
import shapely

from geomill.client import File, InputError
from geomill.client.inputs import SMALL, encode
from geomill.client.outputs import Output

NUMBER, TEXT, OBJECT = ({"type": kind} for kind in ("number", "string", "object"))
PNG, JPEG, TIFF_FILE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0"
TIFF = {"type": "string", "contentEncoding": "binary", "contentMediaType": "image/tiff"}
BBOX = {"allOf": [{"type": "object", "format": "ogc-bbox"}]}
POINT = {"type": "Point", "coordinates": [1.0, 2.0]}
SENT = "http://example.org/uploads/1"
INLINE = {"value": "SUk=", "encoding": "base64"}


def encoded(value: Any, schema: dict[str, Any], send: Any = lambda *_: None) -> Any:
    return encode({"x": value}, {"inputs": {"x": {"schema": schema}}}, send)["x"]


@pytest.mark.parametrize(
    "value, schema, expected",
    [
        (5, NUMBER, 5),
        (None, NUMBER, None),
        ("a", TEXT, "a"),
        (numpy.float32(2.5), NUMBER, 2.5),
        (numpy.arange(3), {"type": "array", "items": NUMBER}, [0, 1, 2]),
        (date(2026, 1, 2), TEXT, "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), TEXT, "2026-01-02T00:00:00+00:00"),
        ((1, 2), {"type": "array"}, [1, 2]),
        ([[1, (2, 3)]], {}, [[1, [2, 3]]]),
        ({"a": (1, 2)}, OBJECT, {"value": {"a": [1, 2]}}),
        ({"value": {"a": 1}}, OBJECT, {"value": {"a": 1}}),
        ({"href": "https://example.org/a"}, OBJECT, {"href": "https://example.org/a"}),
        (shapely.Point(1, 2), OBJECT, {"value": POINT}),
        (numpy.datetime64("2026-01-02"), TEXT, "2026-01-02"),
        (numpy.datetime64("2026-01-02T03:04:05.5", "ns"), TEXT, "2026-01-02T03:04:05.500000"),
        (numpy.array([["2026-01-02"]], "datetime64[ns]"), {}, [["2026-01-02T00:00:00"]]),
        ({"at": numpy.datetime64("2026-01-02T03", "ns")}, OBJECT, {"value": {"at": "2026-01-02T03:00:00"}}),
        ([1, 2, 3, 4], BBOX, {"bbox": [1, 2, 3, 4]}),
        ((1, 2, 3, 4), BBOX, {"bbox": [1, 2, 3, 4]}),
        ({"bbox": [1, 2, 3, 4]}, BBOX, {"bbox": [1, 2, 3, 4]}),
        ([{"a": 1}], {"type": "array", "items": OBJECT}, [{"a": 1}]),
        ([{"a": 1}], OBJECT, [{"value": {"a": 1}}]),
        (b"II", TIFF, INLINE),
        ([b"II"], {"type": "array", "items": TIFF}, [INLINE]),
        (b"II", {"type": "array", "items": TIFF}, [INLINE]),
        ({"scene": b"II"}, OBJECT, {"value": {"scene": INLINE}}),
        (INLINE, TIFF, INLINE),
        (True, {}, True),
    ],
)  # fmt: skip
def test_a_value_is_sent_in_the_form_of_its_schema(value: Any, schema: dict[str, Any], expected: Any) -> None:
    found = encoded(value, schema)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    "content, schema, expected",
    [
        (b"II", TIFF, {**INLINE, "mediaType": "image/tiff"}),
        (b'{"a": 1}', OBJECT, {"value": {"a": 1}}),
        (b"[1, 2]", {"type": "array", "items": NUMBER}, [1, 2]),
        (b"II", {"type": "array", "items": TIFF}, [{**INLINE, "mediaType": "image/tiff"}]),
        (b"text", TEXT, "text"),
        (b"text", {}, "text"),
        (b"\xff\xfe", {}, {"value": "//4=", "encoding": "base64", "mediaType": "image/tiff"}),
    ],
)
def test_a_path_is_what_the_file_holds(tmp_path: Path, content: bytes, schema: dict[str, Any], expected: Any) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    assert encoded(tmp_path / "a.tif", schema) == expected


def test_a_file_that_is_not_small_is_sent_from_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"x" * (SMALL + 1))
    link = {"href": SENT, "type": "image/tiff"}
    record = {"type": "object", "properties": {"scene": TIFF}}
    assert encoded(path, TIFF, lambda *_: SENT) == link
    assert encoded([path, path], {"type": "array", "items": TIFF}, lambda *_: SENT) == [link, link]
    assert encoded({"scene": path}, record, lambda *_: SENT) == {"value": {"scene": link}}


def test_the_file_of_a_job_is_sent_as_its_content() -> None:
    fetched = File(Output("scene", href="http://example.org/a.tif", media_type="image/tiff"), lambda _: [b"I", b"I"])
    inside = File(Output("scene", content=b"II", media_type="image/tiff"), lambda _: [])
    assert encoded(fetched, TIFF) == encoded(inside, TIFF) == {**INLINE, "mediaType": "image/tiff"}


def binary(*kinds: str) -> dict[str, Any]:
    return {"oneOf": [{**TIFF, "contentMediaType": kind} for kind in kinds]}


@pytest.mark.parametrize(
    "name, content, schema, kind",
    [
        ("a.png", PNG, binary("image/tiff", "image/png"), "image/png"),
        ("a.tif", PNG, binary("image/tiff", "image/png"), "image/png"),
        ("a", JPEG, binary("image/tiff", "image/jpeg"), "image/jpeg"),
        ("a.png", PNG, binary("image/tiff"), "image/png"),
        ("a.jp2", b"x", binary("image/tiff", "image/jp2"), "image/jp2"),
        ("a.png", PNG, binary("application/octet-stream"), "application/octet-stream"),
        ("a.tif", TIFF_FILE, binary("image/png", "image/tiff; application=geotiff"), "image/tiff; application=geotiff"),
        ("a.json", b"{}", binary("application/geo+json"), "application/geo+json"),
        ("a.dat", b"x", binary("image/tiff", "image/png"), "image/tiff"),
        ("a.txt", b"x", binary("text/csv"), "text/csv"),
        ("a.png", PNG, {"type": "string", "contentEncoding": "binary"}, "image/png"),
    ],
)  # fmt: skip
def test_a_file_is_sent_as_what_it_is(
    tmp_path: Path, name: str, content: bytes, schema: dict[str, Any], kind: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert encoded(tmp_path / name, schema)["mediaType"] == kind


def test_a_pipe_is_read_once_and_whole(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writing = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[b"x" * 100])
    writing.start()
    assert base64.b64decode(encoded(tmp_path / "pipe", TIFF)["value"]) == b"x" * 100
    writing.join()


def test_bytes_are_sent_as_what_they_are() -> None:
    assert encoded(PNG, binary("image/tiff", "image/png"))["mediaType"] == "image/png"
    assert "mediaType" not in encoded(b"x", TIFF)


ITSELF: list[Any] = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize(
    "value, words",
    [
        (numpy.timedelta64(5, "ns"), "a duration"),
        (numpy.array([5], "timedelta64[s]"), "a duration"),
        (numpy.datetime64("NaT", "ns"), "NaT"),
        (numpy.array(["2026-01-02", "NaT"], "datetime64[D]"), "NaT"),
        (numpy.datetime64("12026-01-02", "s"), "between the years"),
        (ITSELF, "holds itself"),
        ({"a": {"b": ITSELF}}, "holds itself"),
    ],
)
def test_what_has_no_form_in_json_is_said_in_words(value: Any, words: str) -> None:
    with pytest.raises(InputError, match=f"^x: .*{words}"):
        encoded(value, {})


@pytest.mark.parametrize("value", [object(), float("inf"), {"a": float("nan")}, [1j], Path, lambda: 0])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="^x: "):
        encoded(value, {})


def test_large_bytes_are_exact() -> None:
    assert base64.b64decode(encoded(bytes(range(256)), TIFF)["value"]) == bytes(range(256))


@pytest.mark.parametrize("description", [{}, {"inputs": None}, {"inputs": []}, {"inputs": {"x": None}}])
def test_a_description_that_says_nothing_is_no_hindrance(description: dict[str, Any]) -> None:
    assert encode({"x": 1}, description) == {"x": 1}
