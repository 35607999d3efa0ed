"""What a value or a file is shown as, and how much of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geomill.app.pages.kinds import COLUMNS, LETTERS, ROWS, TEXT, of_file, of_value

POINT = {"type": "Point", "coordinates": [1, 2]}
FEATURE = {"type": "Feature", "properties": {"name": "a", "n": 1}, "geometry": POINT}
ITEM = {**FEATURE, "stac_version": "1.0.0", "id": "i", "assets": {"data": {"href": "https://h/a.tif", "type": "t"}}}


@pytest.mark.parametrize(
    "value, kind",
    [(None, "scalar"), (True, "scalar"), (0.1, "scalar"), ("short", "scalar"),
     ("two\nlines", "text"), ("x" * 400, "text"),
     ([1, 2, 3], "scalar"), ([[1, 2], [3]], "tree"), ({"a": {"b": 1}}, "tree"), ({}, "tree"), ([], "scalar"),
     ([{"a": 1}, {"b": 2}], "table"), (POINT, "geojson"), (FEATURE, "geojson"),
     ({"type": "FeatureCollection", "features": []}, "geojson"), (ITEM, "stac"),
     ({"type": "FeatureCollection", "features": [ITEM]}, "stac"),
     ({"type": "FeatureCollection", "features": 5}, "tree"),
     ({"type": "Catalog", "stac_version": "1.0.0", "links": []}, "catalog"),
     ({"type": "Collection", "stac_version": "1.0.0", "links": []}, "catalog"),
     ({"stac_version": "1.0.0", "id": "old", "links": []}, "catalog"), ({"type": "Catalog", "links": []}, "tree"),
     ({"type": ["Catalog"], "stac_version": "1.0.0", "links": []}, "tree"),
     ({"type": "FeatureCollection", "features": [1, None, FEATURE]}, "geojson"),
     ({"type": "Point"}, "tree"), ({"type": ["Point"]}, "tree")],
)  # fmt: skip
def test_a_value_is_shown_as_what_it_is(value: Any, kind: str) -> None:
    assert of_value(value).kind == kind


@pytest.mark.parametrize(
    "media_type, name, content, kind",
    [("image/tiff; application=geotiff", "a", None, "geotiff"), ("application/octet-stream", "a.TIF", None, "geotiff"),
     ("image/png", "a.png", None, "image"), ("application/geo+json", "a", json.dumps(FEATURE), "geojson"),
     ("application/json", "a.json", json.dumps(ITEM), "stac"), ("application/json", "a.json", "{broken", "text"),
     ("application/json", "a.json", "[" * 5000, "text"), ("text/csv", "a.csv", "a,b\n1,2\n", "table"),
     ("text/csv", "a.csv", "", "text"), ("text/plain", "a.txt", "hello", "text"),
     ("text/plain", "a.txt", "a\0b", "file"),
     ("application/zip", "a.zip", None, "file"), ("text/plain", "a.csv", '"a', "table"),
     ("text/html", "a.html", "<b>", "text"), ("application/geo+json", "a", "\xff", "text")],
)  # fmt: skip
def test_a_file_is_shown_as_what_it_is(media_type: str, name: str, content: str | None, kind: str) -> None:
    head = None if content is None else content.encode("latin-1")
    assert of_file(media_type, name, head, len(head or b"")).kind == kind


def test_a_file_that_was_not_read_to_its_end() -> None:
    table = of_file("text/csv", "a.csv", b"a,b\n1,2\n3,", 1000)
    assert table.table and table.table.rows == [["1", "2"]] and table.table.number is None and table.cut
    assert of_file("application/geo+json", "a", b"{", 5_000_000).kind == "geojson"
    assert of_file("application/json", "a", b"{", 5_000_000).cut


def test_no_more_is_shown_than_people_read() -> None:
    records = [{f"column {number}": "x" * 1000 for number in range(100)} for _ in range(1000)]
    table = of_value(records).table
    assert table and (len(table.rows), len(table.columns), table.number) == (ROWS, COLUMNS, 1000)
    assert max(len(cell) for row in table.rows for cell in row) <= LETTERS + 3
    assert len(of_value("x\n" * TEXT).content) <= TEXT
    assert len(of_value(list(range(100_000))).content) <= LETTERS
    assert len(json.dumps(of_value({str(n): {"a": list(range(99))} for n in range(999)}).content)) < 10_000
