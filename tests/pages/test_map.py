"""Maps, and drawing on them: fields stay what is sent, and the map writes into them as a person would."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from pages.conftest import OpenPage
from PIL import Image
from support.browsers import Page, expect, watch_of
from support.mills import Mill
from support.stores import create, succeed
from support.web import pages
from werkzeug.serving import make_server

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.jobstore import Result

TILED = """async (by) => {
  const {dataset} = document.documentElement, scripts = document.querySelector("script[src$='page.js']").src;
  dataset.tiles = scripts.replace("js/page.js", "icons/geomill.svg?{z}/{x}/{y}");
  dataset.tilesBy = by;
  const place = document.createElement("div");
  document.querySelector("main").append(place);
  await (await import(scripts.replace("page.js", "map.js"))).makeMap(place, "Map");
}"""
FORM = """async (html) => {
  const form = document.createElement("form");
  form.innerHTML = html;
  document.querySelector("main").append(form);
  window.heard = 0;
  form.addEventListener("input", () => { window.heard += 1; });
  await import(document.querySelector("script[src$='page.js']").src.replace("page.js", "draw.js"));
}"""
BBOX = (
    '<fieldset id="area"><legend>area</legend>'
    + "".join(f'<label>{n}<input type="number" step="any" name="inputs.area.{n}"></label>' for n in range(4))
    + '</fieldset><div data-draw="bbox" data-target="area"></div>'
)
GEOJSON = (
    '<label>shape <textarea id="shape" name="shape"></textarea></label>'
    '<div data-draw="geojson" data-target="shape"></div>'
)
HOSTILE = '{"type": "Feature", "properties": {"a": "<img src=x onerror=alert(1)>"}, "geometry": null}'
MOVED = "(before) => document.querySelector('.map .feature').getAttribute('d') !== before"


@pytest.fixture
def drawing(open_page: OpenPage) -> Any:
    """A page with a form, and its map when somebody has opened that."""

    def begin(html: str, **options: Any) -> Page:
        page = open_page("/conformance?f=html", **options)
        page.evaluate(FORM, html)
        assert not [each.url for each in watch_of(page).requests if "leaflet" in each.url]  # until it is wanted
        page.get_by_role("button", name="Draw on a map").click()
        expect(page.locator(".map .land").first).to_be_attached()
        return page

    return begin


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place on the map, as shares of its width and height, on the screen."""
    box = page.locator(".map").bounding_box()
    assert box
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def numbers(page: Page) -> list[float | None]:
    values = page.locator("fieldset input").evaluate_all("(all) => all.map((each) => each.value)")
    return [float(value) if value else None for value in values]


def test_a_box_is_dragged(drawing: Any) -> None:
    page = drawing(BBOX)
    page.locator(".map").scroll_into_view_if_needed()
    page.mouse.move(*at(page, 0.25, 0.75))
    page.mouse.down()
    page.mouse.move(*at(page, 0.4, 0.5), steps=3)
    page.mouse.up()
    west, south, east, north = numbers(page)
    assert west and south and east and north
    assert -180 <= west < east <= 0 and -60 < south < north < 80
    assert page.evaluate("window.heard") >= 4  # the preview of the request hears of it
    expect(page.locator(".map .feature")).to_have_count(1)


def test_a_box_is_clicked_and_typed(drawing: Any) -> None:
    page = drawing(BBOX, width=360, dark=True)
    page.locator(".map").scroll_into_view_if_needed()
    page.mouse.click(*at(page, 0.6, 0.4))
    page.mouse.click(*at(page, 0.7, 0.6))
    west, south, east, north = numbers(page)
    assert west is not None and east is not None and 0 < west < east and (south or 0) < (north or 0)
    shape = page.locator(".map .feature")
    before = shape.get_attribute("d")
    page.locator("fieldset input").nth(0).fill("-20")
    page.wait_for_function(MOVED, arg=before)
    page.locator("fieldset input").nth(3).fill("")
    expect(shape).to_have_count(0)  # that is no box


def test_an_open_map_goes_where_the_fields_and_the_wheel_say(drawing: Any) -> None:
    page = drawing(BBOX)
    page.locator(".map").scroll_into_view_if_needed()
    scale = page.locator(".leaflet-control-scale-line")
    before = scale.inner_text()
    page.mouse.move(*at(page, 0.5, 0.5))
    page.mouse.wheel(0, -500)
    expect(scale).not_to_have_text(before)
    for number, value in enumerate((10.1, 50.2, 10.2, 50.3)):
        page.locator("fieldset input").nth(number).fill(str(value))
    expect(scale).to_have_text("3 km")
    shape, box = page.locator(".map .feature").bounding_box(), page.locator(".map").bounding_box()
    assert shape and box and shape["height"] > box["height"] / 2
    page.get_by_role("button", name="Draw a rectangle").click()
    page.mouse.click(*at(page, 0.5, 0.5))
    page.mouse.click(*at(page, 0.51, 0.51))
    expect(page.locator(".map .feature.marked")).to_have_count(0)
    expect(scale).to_have_text("3 km")  # what was drawn there is in sight


def test_a_box_is_drawn_by_keys(drawing: Any) -> None:
    page = drawing(BBOX)
    page.get_by_role("button", name="Draw a rectangle").press("Enter")
    page.get_by_role("button", name="Draw a rectangle").press("Enter")  # it was in hand, as there is no other
    place = page.get_by_role("group", name="A map to draw on")
    expect(place).to_be_focused()
    expect(place).to_have_accessible_description(re.compile("Space sets a point where the cross is"))
    page.keyboard.press("Space")
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    west, south, east, north = numbers(page)
    assert None not in (west, south, east, north) and west < east and south < north
    page.get_by_role("button", name="Draw a rectangle").press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Draw a rectangle")).to_be_focused()


def test_a_map_begins_where_another_input_lies(page: Page) -> None:
    page.goto("/processes/write")
    page.get_by_label("Shape, as JSON").fill(json.dumps({"type": "LineString", "coordinates": [[7, 46], [7.2, 46.1]]}))
    page.get_by_role("button", name="Draw on a map for Area").click()
    outline, box = page.locator(".map .around").bounding_box(), page.locator(".map").bounding_box()
    assert outline and box and outline["width"] > box["width"] / 4
    expect(page.get_by_text("The dashed box is where the input Shape lies.")).to_be_visible()


def test_a_box_across_the_antimeridian_has_its_west_in_the_east(drawing: Any) -> None:
    page = drawing(BBOX)
    for number, value in enumerate((170, -20, -170, -10)):
        page.locator("fieldset input").nth(number).fill(str(value))
    expect(page.locator(".map .feature")).to_have_count(1)  # what was typed has been read
    page.get_by_role("button", name="Close the map").click()
    page.get_by_role("button", name="Draw on a map").click()
    shape = page.locator(".map .feature").bounding_box()
    box = page.locator(".map").bounding_box()
    assert shape and box and shape["width"] < 4 * shape["height"]  # 20 by 10 degrees, not 340
    page.locator(".map").scroll_into_view_if_needed()
    pen = page.get_by_role("button", name="Draw a rectangle")
    pen.click()
    expect(pen).to_have_attribute("aria-pressed", "true")
    page.mouse.click(*at(page, 0.45, 0.6))
    page.mouse.click(*at(page, 0.55, 0.4))
    expect(page.get_by_text("It is drawn, and stands in the fields.")).to_be_visible()
    west, _, east, _ = numbers(page)
    assert west and east and 170 < west <= 180 and -180 <= east < -170


def test_a_polygon_is_clicked(drawing: Any) -> None:
    page = drawing(GEOJSON)
    page.locator(".map").scroll_into_view_if_needed()
    page.get_by_role("button", name="Draw a polygon").click()
    for place in ((0.3, 0.3), (0.5, 0.3), (0.5, 0.6), (0.3, 0.6)):
        page.mouse.click(*at(page, *place))
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    drawn = json.loads(page.locator("textarea").input_value())
    (ring,) = drawn["coordinates"]
    assert drawn["type"] == "Polygon" and len(ring) == 4 and ring[0] == ring[-1]
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:], strict=False))
    assert area > 0  # RFC 7946: counterclockwise
    page.get_by_role("button", name="Set a point").click()
    page.mouse.click(*at(page, 0.5, 0.5))
    assert json.loads(page.locator("textarea").input_value())["type"] == "Point"
    expect(page.locator(".map .feature")).to_have_count(1)


def test_a_feature_stays_one_and_nonsense_is_let_be(drawing: Any) -> None:
    page = drawing(GEOJSON)
    page.locator(".map").scroll_into_view_if_needed()
    page.locator("textarea").fill(HOSTILE)
    page.get_by_role("button", name="Draw a line").click()
    page.mouse.click(*at(page, 0.3, 0.3))
    page.mouse.dblclick(*at(page, 0.5, 0.4))
    drawn = json.loads(page.locator("textarea").input_value())
    assert drawn["properties"]["a"] and drawn["geometry"]["type"] == "LineString"
    assert len(drawn["geometry"]["coordinates"]) == 2
    for wrong in ('{"type": "Polygon", "coordinates": 5}', '{"coordinates": [["a", "b"]]}', "[1", '{"features": {}}'):
        page.locator("textarea").fill(wrong)
        expect(page.locator(".map .feature")).to_have_count(0)


def test_tiles_are_shown_and_their_makers_named(page: Page) -> None:
    page.goto("/conformance?f=html")
    page.evaluate(TILED, "Somebody & <img src=x onerror=alert(1)>")
    expect(page.locator(".map img.leaflet-tile").first).to_be_visible()
    expect(page.locator(".leaflet-control-attribution")).to_have_text("Somebody & <img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator(".map img.leaflet-tile").first).to_be_visible()


OVERLAPS = """() => {
  const box = (each) => each.getBoundingClientRect();
  const labels = [...document.querySelectorAll(".map .grid-label")];
  const taken = [...labels, ...document.querySelectorAll(".map .leaflet-control")].map((each) => [each, box(each)]);
  const map = box(document.querySelector(".map")), texts = [];
  for (const label of labels) {
    const { left, right, top, bottom } = box(label);
    const hit = taken.find(([each, other]) =>
      each !== label && left < other.right && right > other.left && top < other.bottom && bottom > other.top);
    if (hit) texts.push(`${label.textContent} lies on ${hit[0].textContent || hit[0].className}`);
    const cut = left < map.left || right > map.right || top < map.top || bottom > map.bottom;
    if (cut) texts.push(`${label.textContent} is cut`);
  }
  return { count: labels.length, texts };
}"""


@pytest.mark.parametrize("width", [360, 1280])
def test_degrees_lie_on_nothing_else_and_are_not_cut(drawing: Any, width: int) -> None:
    page = drawing(BBOX, width=width)
    page.locator(".map").scroll_into_view_if_needed()
    for _ in range(5):
        found = page.evaluate(OVERLAPS)
        assert found["count"] >= 2 and found["texts"] == []
        before = page.locator(".map .grid-label").all_inner_texts()
        for _ in range(2):
            page.get_by_role("button", name="Zoom in").click()
        expect(page.locator(".map")).not_to_have_text("".join(before))


REFUSED = """(src) => new Promise((tell) => {
  addEventListener("securitypolicyviolation", (event) => tell([event.effectiveDirective, event.blockedURI]));
  document.body.append(Object.assign(new Image(), { src }));
})"""


@contextmanager
def tile_server(asked: list[str]) -> Iterator[str]:
    """A server of tiles on a port of its own."""
    picture = io.BytesIO()
    Image.new("RGB", (256, 256), (200, 30, 30)).save(picture, "PNG")

    class Paths(dict[str, Any]):
        def get(self, path: str, default: Any = None) -> Any:
            asked.append(path)
            return 200, {"Content-Type": "image/png"}, picture.getvalue()

    with pages(Paths()) as url:
        yield url


@contextmanager
def in_this_process(app: Flask) -> Iterator[str]:
    """Serve an app that nothing but pages is wanted of: its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()


def test_tiles_come_from_the_host_of_the_settings_and_from_no_other(open_page: OpenPage, tmp_path: Path) -> None:
    asked: list[str] = []
    forbidden: list[str] = []
    with tile_server(asked) as tiles, tile_server(forbidden) as other:
        address = f"{tiles}/{{z}}/{{x}}/{{y}}.png"
        settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", tiles=address)
        settings.home.mkdir()
        app = create_app(settings)
        job = create(app.jobs, durable=False)
        succeed(app.jobs, job, {"echo": Result({"type": "Point", "coordinates": [11, 47]})})
        with in_this_process(app) as url:
            page = open_page(at=Mill(url, 0, settings), width=360)
            watch_of(page).expected += [f"asked another host: {tiles}/", other]
            page.goto(f"/jobs/{job}/results")
            tile = page.locator(f".map img.leaflet-tile[src^='{tiles}/']").first
            expect(tile).to_be_visible()
            page.wait_for_function("(each) => each.naturalWidth === 256", arg=tile.element_handle())
            expect(page.locator(".leaflet-control-attribution")).to_have_text(f"Tiles: {tiles[7:]}")
            assert page.locator(".map .grid-label").count() == 0
            assert page.evaluate(REFUSED, f"{other}/0/0/0.png") == ["img-src", f"{other}/0/0/0.png"]
    assert asked and not forbidden
