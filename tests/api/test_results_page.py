"""The page of results: for who likes HTML better than JSON, and for nobody else; and all outputs in one file."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Response
from flask.testing import FlaskClient
from support.markup import mistakes

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.negotiation import HTML
from geomill.app.server import Geomill
from geomill.jobstore import Result, files, records

Finished = Callable[[str, Any], str]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
HOSTILE = "<img src=x class=xss onerror=alert(1)>\"'"


@pytest.mark.parametrize(
    "headers, query, media_type",
    [
        (BROWSER, "", "text/html"), ({"Accept": "text/html"}, "", "text/html"), ({}, "?f=html", "text/html"),
        ({}, "", "application/json"), ({"Accept": "*/*"}, "", "application/json"),
        ({"Accept": "application/json, text/html"}, "", "application/json"), (BROWSER, "?f=json", "application/json"),
        ({"Accept": "application/json"}, "?f=html", "text/html"), ({}, "?f=zip", "application/zip"),
        ({"Accept": "application/zip"}, "", "application/zip"),
    ],
)  # fmt: skip
def test_the_page_is_for_who_likes_it_better(
    worker: FlaskClient, finished: Finished, headers: dict[str, str], query: str, media_type: str
) -> None:
    answer = worker.get(finished("add", {"inputs": {"a": 1}}) + "/results" + query, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, media_type)
    assert "Accept" in answer.headers["Vary"]
    assert "sandbox" not in answer.headers.get("Content-Security-Policy", "") or media_type != HTML


@pytest.mark.parametrize("style", [{}, {"response": "raw"}, {"response": "document"}])
def test_all_outputs_come_in_one_zip(worker: FlaskClient, finished: Finished, style: dict[str, str]) -> None:
    many, both = finished("many", {"inputs": {}, **style}), finished("both", {"inputs": {"text": "hello"}, **style})
    for job, names in ((many, {"0.txt", "1.txt", "2.txt"}), (both, {"first.txt", "second.json"})):
        answer = worker.get(f"{job}/results?f=zip")
        process = "many" if job == many else "both"
        assert answer.headers["Content-Disposition"] == f"attachment; filename={process}-{job[-8:]}.zip"
        assert f", {len(names)} files in the zip<" in worker.get(f"{job}/results?f=html").text
        with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
            assert set(archive.namelist()) == names
            assert archive.testzip() is None


def test_only_what_was_asked_for_is_shown(worker: FlaskClient, finished: Finished) -> None:
    page = worker.get(finished("both", {"inputs": {"text": "hi"}, "outputs": {"first": {}}}) + "/results?f=html").text
    assert "results/first" in page and "results/second" not in page


def test_a_job_without_results_has_a_page_that_says_why(worker: FlaskClient, finished: Finished) -> None:
    failed = worker.get(finished("fail", {"inputs": {"how": "error"}}) + "/results", headers=BROWSER)
    assert failed.status_code >= 400 and failed.mimetype == HTML and "<h1>" in failed.text
    assert not mistakes(failed.text)


def publish(working: Geomill, address: str, results: dict[str, Result], content: dict[str, bytes]) -> None:
    """Let a job have published this instead."""
    folder = working.jobs.folder(address.rpartition("/")[2])
    for name, data in content.items():
        path = folder / "outputs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    files.write_json(folder / "results.json", {key: records.dump(each) for key, each in results.items()}, durable=False)


def test_a_folder_shows_its_items_and_its_files(worker: FlaskClient, working: Geomill, finished: Finished) -> None:
    job = finished("add", {"inputs": {"a": 1}})
    asset = {"href": f"{HOSTILE}.tif", "title": HOSTILE, "type": "image/tiff"}
    point = {"type": "Point", "coordinates": [1, 2]}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": HOSTILE, "geometry": point,
            "properties": {"datetime": HOSTILE}, "assets": {"a": asset, "b": {"href": "javascript:alert(1)"}},
            "links": [{"href": "javascript:alert(1)", "rel": "self"}]}  # fmt: skip
    names = [f"out/{HOSTILE}.tif".replace("/>", ">"), "out/catalog.json", *(f"out/{n}.txt" for n in range(60))]
    listing = tuple(
        Result(file=name, size=2, media_type="image/tiff" if name.endswith("tif") else "text/plain") for name in names
    )
    value = {"type": "FeatureCollection", "features": [item]}
    folder = Result(folder="out", listing=listing, value=value, media_type="application/geo+json")
    catalog = {"type": "Catalog", "stac_version": "1.0.0", "id": HOSTILE, "description": f"`{HOSTILE}`",
               "links": [{"rel": "item", "href": "javascript:alert(1)", "title": HOSTILE}]}  # fmt: skip
    content = dict.fromkeys(names, b"{}") | {"out/catalog.json": json.dumps(catalog).encode()}
    listing = tuple(replace(each, size=len(content[str(each.file)])) for each in listing)
    publish(working, job, {"result": replace(folder, listing=listing)}, content)
    answer = worker.get(f"{job}/results?f=html")
    page = answer.text
    assert answer.status_code == 200 and not mistakes(page), mistakes(page)
    assert "&lt;img src=x" in page and "<img" not in page.partition("<main")[2]
    assert 'href="javascript' not in page
    # the raster is there at once, not only within one of many closed lines
    assert re.search(r"<details open>(?:(?!</?details).)*data-raster=", page, re.DOTALL)
    assert "<summary>62 files</summary>" in page and "<summary>The catalog</summary>" in page
    assert 'data-features="' not in page  # what lies on a map of its own needs none of its outline
    assert f"{job}/results/result?f=zip" in page
    zipped = worker.get(f"{job}/results/result?f=zip")
    assert len(zipfile.ZipFile(io.BytesIO(zipped.data)).namelist()) == 62


def test_a_catalog_of_files_is_a_tree_and_its_items_have_their_rasters(
    worker: FlaskClient, working: Geomill, finished: Finished
) -> None:
    job = finished("add", {"inputs": {"a": 1}})
    href = {"look": "look.png", "mask": "./mask.tif", "index": "index.tif", "far": "https://example.org/far.tif"}
    assets = {key: {"href": each} for key, each in href.items()}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "scene", "geometry": None, "properties": {"cloud": 0.125},
            "links": [{"rel": "self", "href": "scene.json"}], "assets": assets}  # fmt: skip
    links = [{"rel": "child", "href": "./collection.json"}, {"rel": "item", "href": "missing.json", "title": "Gone"}]
    catalog = {"type": "Catalog", "stac_version": "1.0.0", "id": "all", "description": "What\ncame.", "links": links}
    collection = {**catalog, "type": "Collection", "id": "masks", "license": "CC0-1.0",
                  "links": [{"rel": "item", "href": "scene.json"}]}  # fmt: skip
    documents = {"catalog.json": catalog, "collection.json": collection, "scene.json": item}
    content = {name: json.dumps(each).encode() for name, each in documents.items()}
    content |= {"mask.tif": b"II", "index.tif": b"II*", "look.png": b"PNG"}
    kinds = {".json": "application/json", ".tif": "image/tiff; application=geotiff", ".png": "image/png"}
    published = [
        Result(file=name, size=len(data), media_type=kinds[name[name.index(".") :]]) for name, data in content.items()
    ]
    publish(working, job, {"result": Result(items=tuple(published))}, content)
    page = worker.get(f"{job}/results?f=html").text
    assert not mistakes(page), mistakes(page)
    tree = page.partition('<div class="catalog">')[2].partition("</details>")[0]
    for name in ("all", "masks", "scene", "mask.tif", "license CC0-1.0", 'files/scene.json">scene', "Gone"):
        assert name in tree, name
    scene = page.partition('aria-label="Assets of scene')[2].partition("</table>")[0]
    path = urlsplit(job).path
    assert scene.count("<tr>") == 5 and f'"{path}/pictures/index.tif">Look at' in scene
    assert 'href="https://example.org/far.tif"' in scene and '<td class="number">3 B</td>' in scene
    assert 'title="image/tiff; application=geotiff">GeoTIFF<' in scene and "0.125" in page
    assert f'data-raster="{path}/pictures/mask.tif"' in page


def test_a_worker_reads_no_more_than_a_beginning(worker: FlaskClient, working: Geomill, finished: Finished) -> None:
    job = finished("add", {"inputs": {"a": 1}})
    rows = b"".join(b"%d,row\n" % number for number in range(400_000))
    large = b"number,kind\n" + rows
    document = json.dumps({"a": "x" * 2_000_000}).encode()
    results = {
        "result": Result(
            members={
                "table": Result(file="table.csv", media_type="text/csv", size=len(large)),
                "document": Result(file="a.json", media_type="application/json", size=len(document)),
                "areas": Result(file="b.geojson", media_type="application/geo+json", size=len(document)),
                "none": Result(file="c.bin", media_type="application/octet-stream", size=len(large)),
            }
        )
    }
    publish(working, job, results, {"table.csv": large, "a.json": document, "b.geojson": document, "c.bin": large})
    page = worker.get(f"{job}/results?f=html").text
    assert "The first 100 rows; <a " in page and "99,row" not in page and "<td>99</td>" in page
    assert "There is more of it." in page and 'data-features="' in page and len(page) < 60_000


def test_pages_name_the_tiles_of_the_settings(settings: Settings) -> None:
    tiles = "https://tiles.example.org/{z}/{x}/{y}.png"
    client = create_app(replace(settings, tiles=tiles, tiles_by=HOSTILE)).test_client()
    answer = client.get("/", headers=BROWSER)
    assert f'data-tiles="{tiles}"' in answer.text and "<img src=x" not in answer.text
    assert "https://tiles.example.org" in answer.headers["Content-Security-Policy"]


def test_what_is_removed_while_it_is_sent_breaks_off_in_one_line_of_the_log(
    worker: FlaskClient, working: Geomill, finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    for way in ("results?f=zip", "ro-crate.zip"):
        job = finished("add", {"inputs": {"a": 1}})
        names = [f"out/{number}.txt" for number in range(2)]
        listing = tuple(Result(file=name, size=2**19, media_type="text/plain") for name in names)
        folder = Result(folder="out", listing=listing, value={"type": "Catalog"}, media_type="application/json")
        publish(working, job, {"result": folder}, dict.fromkeys(names, os.urandom(2**19)))
        caplog.clear()
        answer = FlaskClient(working, Response).get(f"{job}/{way}")  # the other one reads all
        sent = iter(answer.response)
        assert next(sent)
        assert worker.delete(job).status_code == 200
        with pytest.raises(ConnectionResetError) as caught:
            list(sent)
        assert caught.value.errno == errno.ECONNRESET  # of which gunicorn logs nothing
        (line,) = caplog.records
        assert line.exc_info is None and re.search("of job .* breaks off while it is sent: .* is gone$", line.message)
