"""The last step of the water-bodies example, the package that joins them all, and what the demo serves it from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import yaml
from affine import Affine
from backstage import serving
from demo_cwl import halves
from support.variants import thorough
from support.water import EXAMPLE, INLET, VIRGINIA, copied, detect, fails, pixels, raster, run, works

PACKAGE = yaml.safe_load((EXAMPLE / "water-bodies.cwl").read_text())
needs_cwltool = pytest.mark.skipif(not find_spec("cwltool"), reason="cwltool is not installed")


# --- the catalogue


def test_the_catalogue_can_be_moved_as_a_whole(work):
    mask = raster(work / "otsu.tif", np.eye(3), dtype="uint8")
    items = [VIRGINIA / "item.json", copied(work / "second.json", id="second", datetime=None, start_datetime="2020")]
    (work / "out").mkdir()
    os.chdir(work / "out")
    works("stac", *(part for item in items for part in ("--input-item", item, "--water-body", mask)))
    names = sorted(str(path.relative_to(Path.cwd())) for path in Path.cwd().rglob("*") if path.is_file())
    assert names == [
        "catalog.json",
        *(f"{i}/{name}" for i in ("second", "virginia") for name in ("otsu.tif", f"{i}.json")),
    ]
    catalogue = json.loads(Path("catalog.json").read_text())
    assert [link["href"] for link in catalogue["links"]] == [
        "./catalog.json",
        "./virginia/virginia.json",
        "./second/second.json",
    ]
    assert (catalogue["type"], catalogue["id"], catalogue["stac_version"]) == ("Catalog", "catalog", "1.0.0")
    item = json.loads(Path("second/second.json").read_text())
    assert (item["properties"]["datetime"], item["properties"]["start_datetime"]) == (None, "2020")
    assert item["properties"]["proj:epsg"] == 32618 and item["properties"]["proj:shape"] == [3, 3]
    assert Path("second/otsu.tif").read_bytes() == mask.read_bytes()
    kinds = {each["value"]: each["name"] for each in item["assets"]["data"]["classification:classes"]}
    assert kinds == {0: "land", 1: "water"} and any("/classification/" in each for each in item["stac_extensions"])


def test_a_mask_at_the_antimeridian_has_a_box_across_it(work):
    grid = {"crs": "EPSG:32760", "transform": Affine(1000, 0, 818000, 0, -1000, 8118000)}
    works("stac", "--input-item", VIRGINIA / "item.json", "--water-body", raster(work / "m.tif", np.eye(9), **grid))
    item = json.loads((work / "virginia" / "virginia.json").read_text())
    west, _, east, _ = item["bbox"]
    assert item["geometry"]["type"] == "MultiPolygon" and 179.9 < west < 180 and -180 < east < -179.9


def test_items_and_masks_go_in_pairs(work):
    items = ["--input-item", VIRGINIA / "item.json"] * 2
    mask = ["--water-body", raster(work / "otsu.tif", np.eye(3), dtype="uint8")]
    assert fails("stac", *items, *mask) == "stac: 2 items and 1 masks: they go in pairs"
    assert "two items have the id virginia" in fails("stac", *items, *mask, *mask)


@pytest.mark.parametrize("name", ["../above", "..", "a/b", "", "catalog.json", 7])
def test_an_id_that_is_no_name_of_a_folder_is_refused(name, work):
    item = copied(work / "item.json", id=name)
    mask = raster(work / "otsu.tif", np.eye(3), dtype="uint8")
    assert "which cannot be the name of a folder" in fails("stac", "--input-item", item, "--water-body", mask)


# --- the package


def test_the_images_of_the_package_are_mapped_to_the_tools():
    images = tomllib.loads((EXAMPLE / "images.toml").read_text())
    for tool in (node for node in PACKAGE["$graph"] if node["class"] == "CommandLineTool"):
        pulled = tool["hints"]["DockerRequirement"]["dockerPull"].rpartition(":")[0]
        (_, _, module) = tool["baseCommand"]
        assert "--" in run(module, "--help", tools=EXAMPLE / images[pulled]["pythonpath"]).stdout
    assert all((EXAMPLE / image["python"]).parent.parent == EXAMPLE / "../../.venv" for image in images.values())


@pytest.mark.parametrize("tool", ["crop", "norm_diff", "otsu", "stac"])
def test_the_images_of_the_original_package_are_mapped_too(tool):
    images = tomllib.loads((EXAMPLE / "images.toml").read_text())
    image = images[f"ghcr.io/eoap/mastering-app-package/{tool}"]
    assert run("app", "--help", tools=EXAMPLE / image["pythonpath"]).stdout.startswith(f"usage: {tool} ")


def test_only_the_tools_that_need_the_network_have_it():
    access = {
        node["id"]: node["requirements"]["NetworkAccess"]["networkAccess"]
        for node in PACKAGE["$graph"]
        if node["class"] == "CommandLineTool"
    }
    assert access == {"crop": True, "norm_diff": False, "otsu": False, "stac": True}


def test_everything_a_user_sees_of_the_package_has_a_label_and_a_text():
    for node in PACKAGE["$graph"]:
        ports = [*node["inputs"].values(), *node["outputs"].values()]
        assert all(each["label"] and each["doc"] for each in [node, *ports]), node["id"]


@needs_cwltool
@pytest.mark.parametrize("count", [thorough(1), 2])
@pytest.mark.thorough
def test_cwltool_runs_the_package(count, work):
    (work / "images").mkdir()
    with serving(work / "images") as url:
        items = [f"{url}/{name}/item.json" for name in halves(work / "images")][:count]
        (work / "inputs.json").write_text(json.dumps({"stac_items": items, "aoi": INLET}))
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(EXAMPLE / "tools"),
            "HOME": str(work),
            "TMPDIR": str(work),
        }
        options = ["--no-container", "--parallel", "--disable-color", "--preserve-environment", "PYTHONPATH"]
        command = [sys.executable, "-m", "cwltool", *options, "--outdir", "out"]
        entry = f"{EXAMPLE / 'water-bodies.cwl'}#water-bodies"
        done = subprocess.run(
            [*command, entry, "inputs.json"], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        expected = [detect(item).sum() for item in items]
    catalogue = Path(json.loads(done.stdout)["stac_catalog"]["path"])
    links = json.loads((catalogue / "catalog.json").read_text())["links"]
    found = [link["href"].split("/")[1] for link in links if link["rel"] == "item"]
    assert found == ["virginia-west", "virginia-east"][:count]
    assert [pixels(catalogue / name / "otsu.tif").sum() for name in found] == expected
    jobs = {line.split("]")[0].split()[-1] for line in done.stderr.splitlines() if "[job " in line}
    crops, rest = (
        ["node_crop", "node_crop_2", "node_crop_3", "node_crop_4"],
        ["node_normalized_difference", "node_otsu"],
    )
    numbered = [f"{name}{suffix}" for name in rest for suffix in ("", "_2")[:count]]
    assert jobs == {*crops[: 2 * count], *numbered, "node_stac"}


# --- the server of the demo


@pytest.mark.parametrize("asked, given", [("bytes=2-4", b"cde"), ("bytes=7-", b"hij"), ("bytes=8-99", b"ij")])
def test_the_demo_serves_ranges(asked, given, work):
    (work / "file").write_bytes(b"abcdefghij")
    with serving(work) as url, urlopen(Request(f"{url}/file", headers={"Range": asked})) as answer:
        assert (answer.status, answer.read()) == (206, given)


def test_the_demo_serves_no_range_beyond_the_end(work):
    (work / "file").write_bytes(b"abcdefghij")
    with serving(work) as url, pytest.raises(HTTPError, match="416") as caught:
        urlopen(Request(f"{url}/file", headers={"Range": "bytes=10-"}))
    assert caught.value.headers["Content-Range"] == "bytes */10"
    caught.value.close()
