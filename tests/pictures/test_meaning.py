"""What STAC items among results say of a raster: found whatever way it was published, and never a reason to fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geomill.app.pictures.meaning import Meaning, of_asset, of_file
from geomill.jobstore import Result

CLASSES = [{"value": 0, "name": "land"}, {"value": 1, "name": "water"}]
WORDS = {0: "land", 1: "water"}
GEOJSON = "application/geo+json"


def item(href: str, **asset: Any) -> dict[str, Any]:
    found = {"href": href, "classification:classes": CLASSES, **asset}
    return {"type": "Feature", "stac_version": "1.0.0", "id": "a", "assets": {"mask": found}, "properties": {}}


TIFF = Result(file="mask.tif", media_type="image/tiff")
FOLDER = (Result(file="out/a/mask%20.tif"), Result(file="out/a.json", media_type=GEOJSON))
PLACES: dict[str, tuple[dict[str, Result], str, dict[str, Any]]] = {
    "a value beside it": ({"item": Result(value=item("./mask.tif")), "mask": TIFF}, "mask.tif", {}),
    "several in a value": (
        {"items": Result(value={"type": "FeatureCollection", "features": [5, item("b.tif"), item("mask.tif")]})},
        "mask.tif",
        {},
    ),
    "a file above it": (
        {"all": Result(items=(Result(file="a/item.json", media_type=GEOJSON), Result(file="mask.tif")))},
        "mask.tif",
        {"a/item.json": item("../mask.tif")},
    ),
    "a folder of items": (
        {"out": Result(value={"type": "FeatureCollection", "features": [item("a/mask%20.tif")]}, folder="out",
                       listing=FOLDER)},
        "out/a/mask%20.tif",
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_an_item_is_found(place: str) -> None:
    results, path, files = PLACES[place]

    def read(file: Result) -> bytes | None:
        return json.dumps(files[str(file.file)]).encode() if str(file.file) in files else None

    (found,) = of_file(results, path, read)
    assert found.words == WORDS
    assert of_file(results, "other.tif", read) == []


@pytest.mark.parametrize(
    "value",
    [5, "text", [], {}, {"assets": 5}, {"assets": {"a": 5}}, item("//["), item(5), item("mask.tif", bands=7),  # type: ignore[arg-type]
     {"type": "FeatureCollection", "features": {"a": 1}}],
)  # fmt: skip
def test_nonsense_says_nothing(value: Any) -> None:
    results = {"item": Result(value=value), "other": Result(file="a.json"), "mask": TIFF}
    found = of_file(results, "mask.tif", lambda _: b"[" * 100_000)
    assert found == [] or found[0].words == WORDS


def test_what_is_said_of_bands_is_of_each_and_what_is_said_of_all_of_all() -> None:
    asset = {
        "title": "All",
        "unit": "m",
        "nodata": "nan",
        "raster:bands": [{"unit": "K", "nodata": 0}, {"data_type": "uint8"}],
        "eo:bands": [{"name": "B1", "common_name": "red"}, {"name": "green", "common_name": "green"}, 5],
    }
    one, two = of_asset(asset)
    assert (one.name, one.unit, one.nodata) == ("B1 (red)", "K", 0)
    assert (two.name, two.unit) == ("green", "m") and two.nodata != two.nodata
    assert of_asset({"bands": [{"name": "a", "eo:common_name": "nir", "unit": "1"}]}) == [Meaning("a (nir)")]


@pytest.mark.parametrize(
    "hostile",
    [[{"value": [1]}, {"value": True, "name": "x"}, {"value": 10**400, "name": "x"}, {"name": "x"}, 7],
     [{"value": 1, "name": {"a": 1}, "color_hint": ["ff"]}], "text"],
)  # fmt: skip
def test_classes_that_make_no_sense_are_left_out(hostile: Any) -> None:
    assert of_asset({"classification:classes": hostile}) == [Meaning()]


def test_words_are_short_and_of_one_line() -> None:
    (found,) = of_asset({"classification:classes": [{"value": 1, "title": "a\n" + "b" * 500}], "unit": "x" * 500})
    assert found.words[1].startswith("a bbb") and max(map(len, (found.words[1], found.unit))) == 80
