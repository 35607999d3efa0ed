"""The water-bodies package over HTTP: real scenes with known answers, and what people get wrong."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from support.mills import Mill, serving
from support.variants import first, thorough
from support.waiting import until
from support.water import CHECKOUT, EXAMPLE, INLET, VIRGINIA

from geomill.app.config import Settings
from geomill.app.sandbox import bubblewrap

rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")
sys.path.insert(0, str(CHECKOUT / "examples"))
from backstage import serving as files  # noqa: E402

pytestmark = pytest.mark.skipif(bool(bubblewrap.closed()), reason=f"needs a sandbox: {bubblewrap.closed()}")

SAMPLES = CHECKOUT.parent / "shared" / "data" / "water-bodies"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text()) if SAMPLES.exists() else {"cases": []}
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason=f"the reference samples are not in {SAMPLES}")


@dataclass(frozen=True)
class Scenes:
    """A server with the package, and the address of the scenes."""

    mill: Mill
    url: str

    def item(self, name: str = "virginia/item.json") -> str:
        return f"{self.url}/{name}"

    def run(self, items: Any = None, **inputs: Any) -> dict[str, Any]:
        """The status of a job that has ended."""
        job_id = self.mill.submit("water-bodies", **{"stac_items": items or [self.item()], "aoi": INLET, **inputs})
        assert self.mill.ended(job_id, 120).status.final
        return self.mill.status(job_id)

    def masks(self, items: Any = None, **inputs: Any) -> list[Any]:
        """The pixels of the masks of a job that has to succeed, in the order of its items."""
        status = self.run(items, **inputs)
        assert status["status"] == "successful", status
        value = self.mill.call("GET", f"/jobs/{status['jobID']}/results").json()["stac_catalog"]["value"]
        return [self.pixels(feature["assets"]["data"]["href"]) for feature in value["features"]]

    def pixels(self, address: str) -> Any:
        content = urllib3.request("GET", address).data
        with rasterio.MemoryFile(content) as file, file.open() as dataset:
            return dataset.read(1)

    def refused(self, **inputs: Any) -> str:
        """Why an execution is refused."""
        body = {"inputs": {"stac_items": [self.item()], "aoi": INLET, **inputs}}
        answer = self.mill.call("POST", "/processes/water-bodies/execution", body, Prefer="respond-async")
        assert answer.status == 400, answer.data
        return str(answer.json()["detail"])


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    root = tmp_path_factory.mktemp("scenes")
    with tempfile.TemporaryDirectory(prefix="geomill-scenes-", dir="/tmp") as folder, files(Path(folder)) as url:
        Path(folder, "virginia").symlink_to(VIRGINIA)
        Path(folder, "samples").symlink_to(SAMPLES)
        settings = Settings(home=root / "home", runtime_dir=root / "run")
        allowed = url.removeprefix("http://")
        with serving(settings, "--images", str(EXAMPLE / "images.toml"), shared=True, allow=allowed) as mill:
            package = (EXAMPLE / "water-bodies.cwl").read_bytes()
            with urllib3.PoolManager() as pool:
                headers = {"Content-Type": "application/cwl"}
                assert pool.request("POST", f"{mill.url}/processes", body=package, headers=headers).status == 201
            yield Scenes(mill, url)


# ---- known answers


SERVED = ("virginia-all", "virginia-aoi-farmland", "spain-all")  # the tools are tested with all: examples/


@needs_samples
@pytest.mark.parametrize(
    "case", first([case for case in EXPECTED["cases"] if case["name"] in SERVED], 1), ids=lambda case: case["name"]
)
def test_a_scene_has_its_reference_answer(scenes: Scenes, case: dict[str, Any]) -> None:
    item = scenes.item(f"samples/{case['item']}/item.json")
    (mask,) = scenes.masks([item], aoi=case["aoi"], epsg=case["epsg"], bands=case["bands"])
    assert (mask.shape, int(mask.sum())) == ((case["height"], case["width"]), case["water_pixels"])


@needs_samples
@pytest.mark.thorough
def test_two_dates_of_a_lake_are_two_masks_in_the_order_of_the_items(scenes: Scenes) -> None:
    lake = {name: scenes.item(f"samples/{name}/item.json") for name in LAKE}
    names = list(LAKE)[::-1]  # neither by their names nor by their dates
    masks = scenes.masks([lake[name] for name in names], aoi="10.03,46.06,10.06,46.07")
    assert [int(mask.sum()) for mask in masks] == [LAKE[name] for name in names]


LAKE = {"S2A_32TNS_20170703_0_L2A": 149, "S2A_32TNS_20190723_0_L2A": 248}


@needs_samples
@pytest.mark.thorough
def test_an_item_of_stac_1_1_gives_the_same(scenes: Scenes) -> None:
    (mask,) = scenes.masks([scenes.item("samples/S2A_18SVG_20160112_0_L1C/item-stac-1.1.json")])
    assert mask.sum() == 129_534


@pytest.mark.thorough
def test_one_item_without_brackets_is_enough_for_the_rest_has_its_default(scenes: Scenes) -> None:
    (mask,) = scenes.masks(scenes.item())
    assert (mask.shape, mask.sum()) == ((443, 357), 129_534)


def test_the_mask_is_on_the_page_at_once_and_in_words(scenes: Scenes) -> None:
    job = f"/jobs/{scenes.run()['jobID']}"
    page = scenes.mill.call("GET", f"{job}/results", Accept="text/html").data.decode()
    assert re.search(r"<details open>\s*<summary>virginia\b(?:(?!</?details).)*data-raster=", page, re.DOTALL)
    assert "1 output, 4 files in the zip" in page and "<summary>The catalog</summary>" in page
    (path,) = re.findall(r'data-raster="([^"]*otsu.tif)"', page)

    def drawn() -> Any:
        answer = scenes.mill.call("GET", path)
        return answer.json() if answer.status == 200 else None

    legend = until(drawn, 60)["legend"]["entries"]
    assert [(each["value"], each["word"], each["share"]) for each in legend] == [
        (0, "land, or no data", 18.09), (1, "water", 81.91)
    ]  # fmt: skip
    told = scenes.mill.call("GET", f"{path.replace('/pictures/', '/values/')}?lon=-75.62&lat=37.66").json()["told"]
    assert told == "water (1)"


@pytest.mark.thorough
def test_bands_the_other_way_round_find_land(scenes: Scenes) -> None:
    (mask,) = scenes.masks(bands=["nir", "green"])
    assert mask.sum() == 27_599


# ---- what people get wrong


@pytest.mark.parametrize(
    "inputs, words",
    [
        ({"aoi": "10,46,11,47"}, "10,46,11,47 does not overlap asset"),
        thorough({"aoi": "1,2,3"}, 'expected four numbers "minx,miny,maxx,maxy"'),
        thorough({"bands": ["green", "swir16"]}, "has no band 'swir16': it has green, nir"),
        ({"bands": ["green"]}, "norm_diff: "),
        thorough({"epsg": "EPSG:99999"}, "EPSG:99999"),
    ],
)
def test_a_job_that_cannot_succeed_says_why(scenes: Scenes, inputs: dict[str, Any], words: str) -> None:
    status = scenes.run(**inputs)
    assert (status["status"], status["message"].partition(" failed")[0][:10]) == ("failed", "step node_")
    assert words in status["message"] and "Traceback" not in status["message"]
    assert str(scenes.mill.settings.home) not in status["message"]
    (name,) = {word for word in status["message"].replace(")", " ").split() if word.endswith(".log")}
    links = [link["href"] for link in status["links"] if link.get("title") == f"Tool log {name}"]
    assert len(links) == 1 and words in urllib3.request("GET", links[0]).data.decode()
    results = scenes.mill.call("GET", f"/jobs/{status['jobID']}/results")
    assert (results.status, words in results.json()["detail"]) == (500, True)


def test_an_item_that_is_not_there_fails_the_job(scenes: Scenes) -> None:
    status = scenes.run([scenes.item("virginia/none.json")])
    assert status["status"] == "failed" and "none.json" in status["message"] and "404" in status["message"]


@pytest.mark.thorough
def test_the_same_item_twice_fails_the_job(scenes: Scenes) -> None:
    status = scenes.run([scenes.item()] * 2)
    assert status["status"] == "failed" and "two items have the id virginia" in status["message"]


@pytest.mark.parametrize(
    "inputs, words",
    [
        ({"aoi": [1, 2, 3, 4]}, "aoi"),
        ({"aoi": None}, "aoi"),
        ({"bands": [1, 2]}, "bands"),
        ({"stac_item": "x"}, "stac_items"),
        ({"epsg": 4326}, "epsg"),
    ],
)
def test_a_wrong_input_is_refused_by_its_name(scenes: Scenes, inputs: dict[str, Any], words: str) -> None:
    assert words in scenes.refused(**inputs)
