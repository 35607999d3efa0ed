"""A catalog among the results: its items, their places, and the collection that they get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geomill.app.cwl.stac import feature_collection

JOB = "01a20d1b-fc48-74a0-a611-d6b2743f369d"


def write(path: Path, **document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def catalog(folder: Path, *hrefs: str, rel: str = "item", name: str = "catalog.json", **more: Any) -> None:
    links = [{"rel": rel, "href": href} for href in hrefs]
    write(folder / name, **{"type": "Catalog", "stac_version": "1.1.0", "id": "x", "links": links, **more})


def item(folder: Path, name: str, **more: Any) -> None:
    given = {"type": "Feature", "id": name, "bbox": [1, 2, 3, 4], "properties": {"datetime": "2024-01-01T00:00:00Z"}}
    assets = {"data": {"href": "./mask.tif"}, "far": {"href": "https://example.org/x.tif"}}
    write(folder / name / f"{name}.json", **{**given, "assets": assets, "links": [], **more})


def links(feature: dict[str, Any]) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in feature["links"] if "rel" in link}


def test_items_get_the_collection_of_the_job_and_places_from_the_folder(tmp_path: Path) -> None:
    catalog(tmp_path, "./b/b.json", "a/a.json")
    item(tmp_path, "a", bbox=[-5, 2, 0, 3, 9, 100], links=[{"rel": "root", "href": "../catalog.json"}])
    item(tmp_path, "b", links=[{"rel": "license", "href": "../terms.txt"}])
    found = feature_collection(tmp_path, JOB)
    assert found is not None and (found["type"], found["id"]) == ("FeatureCollection", JOB)
    first, second = found["features"]
    assert (first["id"], second["id"], first["collection"]) == ("b", "a", JOB)
    assert {key: asset["href"] for key, asset in first["assets"].items()} == {
        "data": "b/mask.tif",
        "far": "https://example.org/x.tif",
    }
    assert links(second) == {
        "collection": "collection.json", "root": "catalog.json", "self": "a/a.json", "parent": "collection.json",
    }  # fmt: skip
    assert links(first)["license"] == "terms.txt"
    made = json.loads((tmp_path / "collection.json").read_text())
    assert (made["type"], made["id"], made["stac_version"]) == ("Collection", JOB, "1.1.0")
    assert made["extent"]["spatial"]["bbox"] == [[-5, 2, 3, 9]] and len(made["links"]) == 3


def test_items_that_are_in_a_collection_stay_there(tmp_path: Path) -> None:
    catalog(tmp_path, "masks/collection.json", rel="child")
    catalog(tmp_path / "masks", "a/a.json", name="collection.json", type="Collection", id="masks")
    item(tmp_path / "masks", "a")
    (feature,) = (feature_collection(tmp_path, JOB) or {})["features"]
    assert (feature["collection"], links(feature)["collection"]) == ("masks", "masks/collection.json")
    assert feature["assets"]["data"]["href"] == "masks/a/mask.tif"
    assert not (tmp_path / "collection.json").exists()


def test_a_file_of_the_tool_is_not_overwritten(tmp_path: Path) -> None:
    catalog(tmp_path, "a/a.json")
    item(tmp_path, "a")
    (tmp_path / "collection.json").write_text("mine")
    (feature,) = (feature_collection(tmp_path, JOB) or {})["features"]
    assert links(feature)["collection"] == f"{JOB}.json" and (tmp_path / f"{JOB}.json").is_file()
    assert (tmp_path / "collection.json").read_text() == "mine"


def test_a_catalog_without_items_is_an_empty_collection(tmp_path: Path) -> None:
    catalog(tmp_path)
    assert feature_collection(tmp_path, JOB) == {"type": "FeatureCollection", "features": [], "id": JOB}


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"type": "Feature"}', '{"type": 1}', "[" * 100_000])
def test_what_is_no_catalog_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "catalog.json").write_text(content)
    assert feature_collection(tmp_path, JOB) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"bbox": "x"}, {"bbox": [1]}, {"bbox": None}, {"properties": None}, {"properties": {"datetime": None}},
        {"properties": {"datetime": 7}}, {"links": "x"}, {"links": [7, {}]}, {"links": [{"rel": "x", "href": "//["}]},
        {"assets": None}, {"assets": {"data": 7}}, {"assets": {"data": {"href": "a%00b"}}}, {"collection": 7},
    ],
)  # fmt: skip
def test_an_item_that_is_not_as_it_should_be_is_still_given(tmp_path: Path, wrong: dict[str, Any]) -> None:
    catalog(tmp_path, "a/a.json", stac_version=None)
    item(tmp_path, "a", **wrong)
    (feature,) = (feature_collection(tmp_path, JOB) or {})["features"]
    assert feature["collection"] == JOB and "self" in links(feature)


OUTSIDE = ["../outside.json", "/etc/passwd", "file:///etc/passwd", "none.json", "a%00b", 7, None]


@pytest.mark.parametrize("href", OUTSIDE)
def test_a_link_that_leads_out_or_nowhere_gives_no_item(tmp_path: Path, href: Any) -> None:
    write(tmp_path / "outside.json", type="Feature", id="outside")
    write(tmp_path / "in" / "catalog.json", type="Catalog", id="x", links=[{"rel": "item", "href": href}])
    assert (feature_collection(tmp_path / "in", JOB) or {})["features"] == []


def test_catalogs_that_lead_to_each_other_end(tmp_path: Path) -> None:
    catalog(tmp_path, *["other.json"] * 100, rel="child")
    catalog(tmp_path, *["catalog.json", "other.json"] * 100, rel="child", name="other.json")
    assert (feature_collection(tmp_path, JOB) or {})["features"] == []


def test_a_long_chain_of_catalogs_is_followed_to_its_end(tmp_path: Path) -> None:
    names = ["catalog.json", *(f"{number}.json" for number in range(2000)), "a/a.json"]
    for name, following in zip(names, names[1:], strict=False):
        catalog(tmp_path, following, rel="child", name=name)
    item(tmp_path, "a")
    assert len((feature_collection(tmp_path, JOB) or {})["features"]) == 1
