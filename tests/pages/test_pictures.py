"""The pictures in the README. `make screenshots` takes them anew, of the examples at work."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pages.conftest import OpenPage
from PIL import Image
from support.browsers import WIDE, Page, expect
from support.hostile import deploy
from support.mills import Mill, serving

from geomill.app.config import Settings

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples"))

from backstage import serving as files  # noqa: E402

IMAGES = ROOT / "docs/images"
EXAMPLE = ROOT / "examples/water-bodies"
INLET = [-75.64, 37.65, -75.60, 37.69]
LARGE = 150_000  # bytes


def test_each_picture_is_small_and_somewhere_in_the_readme() -> None:
    shown = set(re.findall(r"docs/images/(\S+\.png)", (ROOT / "README.md").read_text()))
    assert shown == {path.name for path in IMAGES.glob("*.png")}
    assert not [path.name for path in IMAGES.iterdir() if path.stat().st_size > LARGE]


taken = pytest.mark.skipif("not config.getoption('screenshots')", reason="make screenshots takes them")


@dataclass(frozen=True)
class Example:
    """A server that has the example package, and the address of a satellite scene."""

    mill: Mill
    item: str

    def job(self, process: str, **inputs: Any) -> str:
        """The address of a job that was successful."""
        job_id = self.mill.submit(process, **inputs)
        assert self.mill.ended(job_id, 120).status.value == "successful", self.mill.status(job_id)
        return f"/jobs/{job_id}"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    root = tmp_path_factory.mktemp("example")
    settings = Settings(home=root / "home", runtime_dir=root / "run")
    with (
        files(ROOT / "examples/virginia") as url,
        serving(settings, "--images", str(EXAMPLE / "images.toml"), shared=True, allow=url[7:]) as mill,
    ):
        deploy(mill, (EXAMPLE / "water-bodies.cwl").read_bytes(), "water-bodies")
        yield Example(mill, f"{url}/item.json")


def take(page: Page, name: str) -> None:
    """A picture of what is in the window, in few colours."""
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


@taken
def test_a_picture_of_a_form(open_page: OpenPage, example: Example) -> None:
    example.job("water-mask", item={"href": example.item}, aoi={"bbox": INLET})
    page = open_page("/processes/water-mask", at=example.mill)
    page.locator("[id='inputs/item:href']").fill("https://example.org/S2A_18SVG_20160112/item.json")
    for label, number in zip(("West", "South", "East", "North"), INLET, strict=True):
        page.get_by_label(label, exact=True).fill(json.dumps(number))
    page.get_by_role("button", name="Draw on a map").first.click()
    expect(page.locator(".leaflet-container").first).to_be_visible()
    expect(page.locator("#request-curl")).to_contain_text(json.dumps(INLET))
    page.set_viewport_size({"width": WIDE, "height": 1080})
    page.evaluate("scrollTo(0, 0)")
    take(page, "form")


@taken
def test_a_picture_of_results(open_page: OpenPage, example: Example) -> None:
    page = open_page(example.job("water-mask", item={"href": example.item}), at=example.mill)
    take(page, "results")


@taken
def test_a_picture_of_steps(open_page: OpenPage, example: Example) -> None:
    aoi = ",".join(map(str, INLET))
    job = example.job("water-bodies", stac_items=[example.item], aoi=aoi)
    page = open_page(job, at=example.mill)
    page.set_viewport_size({"width": WIDE, "height": 700})
    page.get_by_role("heading", name="Steps").evaluate("each => each.scrollIntoView()")
    take(page, "steps")
