"""Where inputs lie, for a map to begin there: what they say themselves, what is behind an address, and examples."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.web import pages

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.pages.extents import examples, find

BOX = [7, 46, 7.5, 46.5]
LINE = {"type": "LineString", "coordinates": [[7, 46.5, 100], [7.5, 46, 0]]}
FEATURE = {"type": "Feature", "geometry": LINE, "properties": {}}
OURS = {"Origin": "http://localhost"}


@pytest.mark.parametrize(
    "value",
    [
        {"bbox": BOX},
        {"bbox": [7, 46, 0, 7.5, 46.5, 10], "crs": "http://www.opengis.net/def/crs/OGC/0/CRS84h"},
        {"value": LINE},
        {"value": {"type": "FeatureCollection", "features": [FEATURE]}},
        {"value": {"type": "GeometryCollection", "geometries": [LINE]}},
        {"value": {**FEATURE, "stac_version": "1.1.0", "geometry": None, "bbox": BOX}},
        [{"value": 5}, {"value": FEATURE}],
    ],
)
def test_a_value_says_where_it_lies(value: Any) -> None:
    assert find({"a": "text", "b": value}, lambda href: None) == ("b", BOX)


@pytest.mark.parametrize(
    "value",
    [
        None, "text", 5, {}, {"bbox": BOX, "crs": "EPSG:32632"}, {"bbox": [5e5, 4e6, 5.1e5, 4.1e6]}, {"bbox": [1, 2]},
        {"bbox": [7, 47, 8, 46]}, {"bbox": [True] * 4}, {"value": {"type": "Point", "coordinates": []}},
        {"value": {"type": "Point", "coordinates": [5e5, 4e6]}}, {"value": {**FEATURE, "crs": {"type": "name"}}},
    ],
)  # fmt: skip
def test_a_value_that_does_not_lies_nowhere(value: Any) -> None:
    assert find({"a": value}, lambda href: None) is None


def test_values_count_before_documents_and_few_of_those_are_asked_for() -> None:
    asked: list[str] = []
    links = {"a": {"href": "https://h/1"}, "b": ["https://h/2", "https://h/3"]}
    assert find({**links, "c": {"bbox": BOX}}, asked.append) == ("c", BOX) and asked == []
    assert find(links, asked.append) is None and asked == ["https://h/1", "https://h/2"]
    assert find({"c": examples({"c": {"schema": {"examples": [{"bbox": BOX}]}}})["c"]}, asked.append) == ("c", BOX)


def test_a_document_is_fetched_as_the_guard_allows(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    large = json.dumps({"bbox": BOX, "links": ["x" * 2_000_000]}).encode()
    given: dict[str, Any] = {"/item": (200, {}, json.dumps(FEATURE).encode()), "/large": (200, {}, large)}
    heard: list[Any] = []
    with pages(given, heard) as web:
        allowed = create_app(replace(settings, allow=(web.removeprefix("http://"),))).test_client()
        refused = create_app(settings).test_client()
        for client, path, found in ((allowed, "/item", BOX), (allowed, "/large", None), (allowed, "/none", None)):
            form = {"geomill-form": "1", "inputs/item:href": f"{web}{path}"}
            answer = client.post("/processes/water-mask/extent", data=form, headers=OURS)
            assert (answer.status_code, answer.json["bbox"]) == (200, found), path
        assert client.post("/processes/water-mask/extent", data=form).status_code == 403
        count = len(heard)
        form["inputs/item:href"] = f"{web}/item"
        assert refused.post("/processes/water-mask/extent", data=form, headers=OURS).json == {"of": None, "bbox": None}
        assert len(heard) == count
