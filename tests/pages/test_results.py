"""Results in a browser: rasters tell what rasterio reads, features and rows are one, and texts of jobs are texts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import rasterio
from pages.conftest import OpenPage
from pages.seeing import axe, ready
from rasterio.warp import transform
from support.browsers import Page, expect, watch_of
from support.mills import Mill


def finished(site: Mill, process: str, **inputs: object) -> str:
    job = site.submit(process, **inputs)
    info = site.ended(job, 60)
    assert info.status.value == "successful", info
    return job


def read(path: Path, lon: float, lat: float) -> tuple[int, int, str]:
    """What rasterio reads at a place."""
    with rasterio.open(path) as dataset:
        (x,), (y,) = transform("EPSG:4326", dataset.crs, [lon], [lat])
        row, column = dataset.index(x, y)
        (value,) = next(dataset.sample([(x, y)], masked=True))
    return row, column, "no data" if np.ma.is_masked(value) else f"{float(value):g}"


def rest(page: Page, box: dict[str, float], x: float, y: float) -> str:
    """Rest with the pointer on a picture, at shares of its width and height: what the page says then."""
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    tip = page.locator(".value-tip")
    expect(tip).to_be_visible()
    return tip.inner_text()


def test_the_pointer_reads_what_rasterio_reads(page: Page, site: Mill) -> None:
    job = finished(site, "rasters")
    ready(page)
    page.goto(f"/jobs/{job}/results")
    for name in ("UTM", "degrees", "web", "rotated"):
        part = page.locator(f".raster[data-label='{name[0].upper()}{name[1:]}']")
        part.scroll_into_view_if_needed()
        picture = part.locator("img.pixels")
        expect(picture).to_be_visible()
        part.scroll_into_view_if_needed()  # it has grown
        box = picture.bounding_box()
        assert box
        seen = set()
        for x, y in ((0.52, 0.55), (0.36, 0.26), (0.7, 0.6)):
            told = rest(page, box, x, y)
            said = part.locator("output")
            expect(said).to_contain_text(told)
            lon, lat = map(float, re.findall(r"-?\d+\.\d+", said.inner_text())[:2])
            row, column, value = read(site.store.output(job, f"{name}.tif"), lon, lat)
            assert told == f"{value} (row {row}, column {column})", (name, told)
            seen.add(value)
            page.mouse.move(0, 0)
            expect(page.locator(".value-tip")).to_have_count(0)
        assert len(seen) > 2
        if name != "rotated":
            assert "no data" in seen, name
    part.get_by_label("Longitude").fill("0")
    part.get_by_label("Latitude").fill("0")
    part.get_by_role("button", name="Read the value").press("Enter")
    expect(part.locator("output")).to_have_text("0, 0: outside")

    assert axe(page) == []


def test_what_is_no_raster_says_so(page: Page, site: Mill) -> None:
    page.goto(f"/jobs/{finished(site, 'no-raster')}/results")
    expect(page.locator(".raster [role=status]")).to_contain_text("damaged")


def test_features_and_rows_are_one(page: Page, site: Mill) -> None:
    page.goto(f"/jobs/{finished(site, 'hostile')}/results")
    part = page.locator(".mapped").first
    expect(part.locator("path.feature")).to_have_count(3)
    first, second = part.locator("tbody tr").nth(0), part.locator("tbody tr").nth(1)
    second.hover()
    expect(part.locator("path.marked")).to_have_count(1)
    assert part.locator("path.feature").nth(1).evaluate("(path) => path.classList.contains('marked')")
    part.locator("path.feature").nth(0).hover()
    expect(first).to_have_class(re.compile("marked"))
    before = part.locator("path.feature").nth(2).get_attribute("d")
    part.get_by_role("button").filter(has_text="onerror").nth(2).press("Enter")  # by keys
    page.wait_for_function(
        "(before) => document.querySelectorAll('.mapped path.feature')[2].getAttribute('d') !== before", arg=before
    )
    expect(part.locator("tbody tr").nth(2)).to_have_class(re.compile("marked"))


def test_a_feature_that_cannot_be_drawn_takes_no_other_with_it(page: Page, site: Mill) -> None:
    page.goto(f"/jobs/{finished(site, 'odd')}/results")
    part = page.locator(".mapped")
    expect(part.get_by_text("2 of 3 features cannot be drawn and are left out.")).to_be_visible()
    expect(part.locator("path.feature")).to_have_count(1)
    expect(part.locator("tbody tr")).to_have_count(3)


def test_texts_of_jobs_are_texts(open_page: OpenPage, site: Mill) -> None:
    job = finished(site, "hostile")
    page = open_page(f"/jobs/{job}/results", width=360, dark=True)
    for part in page.locator(".mapped").all():
        part.scroll_into_view_if_needed()
        expect(part.locator("path.feature").first).to_be_attached()
    assert page.locator("main img").count() == 0 and page.locator("main b").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    expect(page.get_by_text("{{7*7}}").first).to_be_visible()
    expect(page.get_by_text("The first 100 of 120.")).to_be_visible()
    expect(page.get_by_role("link", name="<img src=x").first).to_have_attribute("href", "https://example.org/data.tif")


def test_without_scripts_results_are_read(quiet_page: Page, site: Mill) -> None:
    quiet_page.goto(f"/jobs/{finished(site, 'write', count=4)}/results")
    expect(quiet_page.get_by_role("cell", name="area 3").first).to_be_visible()
    expect(quiet_page.get_by_text("hello", exact=True)).to_be_visible()
    expect(quiet_page.get_by_text("0.0101")).to_be_visible()
    expect(quiet_page.locator(".features")).to_have_count(1)
    expect(quiet_page.locator(".features")).to_be_hidden()


def test_a_map_is_loaded_only_where_there_is_one(page: Page, site: Mill) -> None:
    page.goto(f"/jobs/{finished(site, 'add', a=1)}/results")
    expect(page.get_by_text("2.0", exact=True)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not [each.url for each in watch_of(page).requests if "leaflet" in each.url or "world" in each.url]
