"""Results as services write them, and what becomes of them."""

import base64
from pathlib import Path

import pytest

from geomill.client.outputs import Output, document, flat, read, save, save_all

URL = "http://example.org/jobs/1/results"
JSON = "application/json"


@pytest.mark.parametrize(
    "body, content_type, expected",
    [
        (b'{"area": 2, "name": "a"}', JSON, [Output("area", 2), Output("name", "a")]),
        (b'{"a": {"value": {"k": 1}}}', JSON, [Output("a", {"k": 1})]),
        (b'{"a": {"value": 1, "mediaType": "text/plain"}}', JSON, [Output("a", 1, media_type="text/plain")]),
        (b'{"a": {"value": "eA==", "encoding": "base64"}}', JSON, [Output("a", content=b"x")]),
        (b'{"a": {"value": "no!", "encoding": "base64"}}', JSON, [Output("a", "no!")]),
        (b'{"a": {"href": "a.tif", "type": "image/tiff"}}', JSON,
         [Output("a", href="http://example.org/jobs/1/a.tif", media_type="image/tiff")]),
        (b'{"a": [{"href": "http://x/1"}, {"href": "http://x/2"}]}', JSON,
         [Output("a.1", href="http://x/1"), Output("a.2", href="http://x/2")]),
        (b'{"box": {"bbox": [1, 2, 3, 4]}}', JSON, [Output("box", {"bbox": [1, 2, 3, 4]})]),
        (b'{"outputs": [{"id": "echo", "value": "hi"}]}', JSON, [Output("echo", "hi")]),
        (b'{"outputs": [1]}', JSON, [Output("outputs", [1])]),
        (b"5", JSON, [Output("result", 5)]),
        (b"[1]", "application/json; charset=utf-8", [Output("result", [1])]),
        (b"\x89PNG", "image/png", [Output("result", content=b"\x89PNG", media_type="image/png")]),
        (b"what?", "", [Output("result", content=b"what?")]),
        (b"", JSON, []),
    ],
)  # fmt: skip
def test_an_answer_is_read_whatever_its_style(body, content_type, expected):
    assert flat(read(body, content_type, URL)) == expected


def test_a_multipart_answer_has_an_output_in_each_part():
    body = (
        b'--b\r\nContent-Type: application/json\r\nContent-ID: <a>\r\n\r\n{"k": 1}\r\n'
        b"--b\r\nContent-Type: image/png\r\nContent-ID: <b>\r\n\r\n\x89PNG\r\n"
        b"--b\r\nContent-Type: image/tiff\r\nContent-ID: <c>\r\nContent-Location: c.tif\r\n\r\n\r\n--b--\r\n"
    )
    assert flat(read(body, 'multipart/related; boundary="b"', URL)) == [
        Output("a", {"k": 1}, media_type="application/json"),
        Output("b", content=b"\x89PNG", media_type="image/png"),
        Output("c", href="http://example.org/jobs/1/c.tif", media_type="image/tiff"),
    ]


@pytest.mark.parametrize(
    "output, name, content",
    [
        (Output("area", 2.5), "area.json", b"2.5"),
        (Output("name", "text"), "name.txt", b"text"),
        (Output("name", "text", media_type="application/json"), "name.txt", b"text"),
        (Output("shape", {"k": 1}, media_type="application/geo+json"), "shape.geojson", b'{"k": 1}'),
        (Output("image", content=b"II", media_type="image/tiff; application=geotiff"), "image.tif", b"II"),
        (Output("image", href="http://x/a.vrt?x=1", media_type="image/tiff"), "image.vrt", b"http://x/a.vrt?x=1"),
        (Output("image", href="http://x/a", media_type="image/png"), "image.png", b"http://x/a"),
        (Output("scenes.1", 1), "scenes.1.json", b"1"),
        (Output("../../etc/passwd", 1), "_.._etc_passwd.json", b"1"),
        (Output("..", content=b"x"), "output", b"x"),
    ],
)
def test_an_output_is_saved_under_its_name(tmp_path, output, name, content):
    (path,) = save_all([output], tmp_path, lambda url: iter([url.encode()]))
    assert path == tmp_path / name
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_download_that_breaks_off_leaves_no_file(tmp_path):
    def broken(url):
        yield b"half"
        raise ConnectionError(url)

    with pytest.raises(ConnectionError):
        save(Output("a", href="http://x/a"), tmp_path / "a", broken)
    assert list(tmp_path.iterdir()) == []


def test_outputs_make_a_results_document():
    found = [Output("a", 1), Output("b", {"k": 1}), Output("c", content=b"x"), Output("d", href="http://x/d")]
    found.append(Output("e", path=Path("/a b"), media_type="image/png"))
    assert document(found) == {
        "a": 1,
        "b": {"value": {"k": 1}},
        "c": {"value": base64.b64encode(b"x").decode(), "encoding": "base64"},
        "d": {"href": "http://x/d"},
        "e": {"href": "file:///a%20b", "type": "image/png"},
    }
