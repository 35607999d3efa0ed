"""Results in a browser: rasters tell what rasterio reads, features and rows are one, and texts of jobs are texts."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import rasterio
from pages.conftest import OpenPage
from pages.seeing import AXE
from rasterio.warp import transform
from support.browsers import Page, expect, watch_of
from support.mills import Mill

# what has one name and does several things; each map, raster and file has its own
SAME = """() => {
  const leads = new Map();
  for (const each of document.querySelectorAll("main :is(a[href], button, summary)")) {
    const name = (each.ariaLabel ?? each.textContent).trim().replace(/\\s+/g, " ");
    if (name) leads.set(name, (leads.get(name) ?? new Set()).add(each.localName === "a" && each.href || each));
  }
  return [...leads].filter(([, found]) => found.size > 1).map(([name]) => name);
}"""


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

    assert page.evaluate(SAME) == []
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    assert page.evaluate(AXE, {}) == []


def test_kinds_have_their_words_and_any_band_is_shown(page: Page, site: Mill) -> None:
    page.goto(f"/jobs/{finished(site, 'classified')}/results")
    part = page.locator(".raster").first
    expect(part.locator(".legend li")).to_have_text([re.compile("^ *forest 1, "), re.compile("^ *meadow 2, "),
                                                     re.compile("^ *unseen 99, 0.04 % of all pixels")])  # fmt: skip
    picture = part.locator("img.pixels")
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    assert box
    assert rest(page, box, 0.7, 0.5).startswith("cover: meadow (2), certainty: 5.")
    page.mouse.move(0, 0)
    before = picture.get_attribute("src")
    part.get_by_role("combobox", name="Band").select_option("2")
    expect(part.locator(".legend svg.ramp")).to_be_visible()
    expect(part.locator(".legend")).to_contain_text("%")
    expect(part.get_by_role("combobox", name="Band")).to_have_value("2")
    assert picture.get_attribute("src") != before
    part.get_by_label("Opacity").fill("50")
    part.get_by_label("Longitude").fill("11.005")
    part.get_by_label("Latitude").fill("47.99")
    part.get_by_role("button", name="Read the value").press("Enter")
    told = "cover: forest (1), certainty: 0.125 % (row 0, column 0)"
    expect(part.locator("output")).to_have_text(f"11.005, 47.99: {told}")


def test_without_scripts_a_raster_has_a_page_with_its_bands_and_values(quiet_page: Page, site: Mill) -> None:
    quiet_page.goto(f"/jobs/{finished(site, 'classified')}/results")
    link = quiet_page.get_by_role("link", name="Look at Kinds")
    if link.count():
        link.click()  # nobody has drawn it yet
    for _ in range(20):
        if quiet_page.get_by_text("The picture is being drawn.").count():
            quiet_page.reload()
    quiet_page.get_by_role("combobox", name="Band").first.select_option("2: certainty")
    quiet_page.get_by_role("button", name="Show this band of").first.click()
    expect(quiet_page.get_by_role("heading", level=1)).to_have_text("kinds.tif")
    expect(quiet_page.locator(".legend svg.ramp")).to_be_visible()
    picture = quiet_page.get_by_role("img", name="Picture of kinds.tif")
    expect(picture).to_be_visible()
    assert "band=2" in (picture.get_attribute("src") or "")
    quiet_page.get_by_label("Longitude").fill("11.005")
    quiet_page.get_by_label("Latitude").fill("47.99")
    quiet_page.get_by_role("button", name="Read the value").click()
    expect(quiet_page.locator("output")).to_have_text("11.005, 47.99: 0.125 %")
    expect(quiet_page.get_by_role("combobox", name="Band")).to_have_value("2")


def test_many_features_are_painted_and_their_rows_are_turned(page: Page, site: Mill) -> None:
    page.goto(f"/jobs/{finished(site, 'squares', count=1500)}/results")
    part = page.locator(".mapped")
    expect(part.locator(".leaflet-overlay-pane canvas")).to_be_attached()
    assert part.locator("path.feature").count() == 0
    rows, state = part.locator("tbody tr"), part.get_by_role("status").filter(has_text="of 1500")
    expect(state).to_have_text("1 to 100 of 1500")
    expect(part.get_by_role("link", name="the file has all")).to_be_visible()
    expect(part.get_by_role("button", name="Previous rows of Squares")).to_be_disabled()
    part.get_by_role("button", name="Next rows of Squares").press("Enter")
    expect(state).to_have_text("101 to 200 of 1500")
    expect(rows).to_have_count(100)
    expect(rows.nth(1).locator("td")).to_have_text(["101", "101", "33.66667"])
    canvas = part.locator(".leaflet-overlay-pane canvas")
    before = canvas.evaluate("(each) => each.toDataURL()")
    rows.nth(1).hover()
    expect(rows.nth(1)).to_have_class("marked")
    assert canvas.evaluate("(each) => each.toDataURL()") != before
    rows.nth(1).get_by_role("button").press("Enter")  # by keys: it fills the map, in whose middle it is
    expect(rows.nth(1)).to_have_class("marked")
    part.get_by_role("button", name="Next rows of Squares").click()
    box = part.locator(".map").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(state).to_have_text("101 to 200 of 1500")
    expect(part.locator("tr.marked td").first).to_have_text("101")
    page.emulate_media(color_scheme="dark")
    shade = "each => getComputedStyle(each).getPropertyValue('--chosen').trim()"
    assert page.locator(".map").evaluate(shade) == "#ffb561"


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
    expect(page.get_by_text("1 to 100 of 120")).to_be_visible()
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
    expect(page.get_by_text("2", exact=True)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not [each.url for each in watch_of(page).requests if "leaflet" in each.url or "world" in each.url]
