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

import pytest
from flask import Response
from flask.testing import FlaskClient
from support.validity import mistakes

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
    texts = worker.get(finished("many", {"inputs": {}, **style}) + "/results?f=zip")
    values = worker.get(finished("both", {"inputs": {"text": "hello"}, **style}) + "/results?f=zip")
    for answer, names in ((texts, {"0.txt", "1.txt", "2.txt"}), (values, {"first.txt", "second.json"})):
        assert "attachment" in answer.headers["Content-Disposition"]
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
    publish(working, job, {"result": folder}, dict.fromkeys(names, b"{}"))
    answer = worker.get(f"{job}/results?f=html")
    page = answer.text
    assert answer.status_code == 200 and not mistakes(page), mistakes(page)
    assert "&lt;img src=x" in page and "<img" not in page.partition("<main")[2]
    assert 'href="javascript' not in page
    assert "The first 50 of 62" in page and 'data-features="' in page and 'data-picture="' in page
    assert f"{job}/results/result?f=zip" in page
    zipped = worker.get(f"{job}/results/result?f=zip")
    assert len(zipfile.ZipFile(io.BytesIO(zipped.data)).namelist()) == 62


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
    assert "The first 100 rows." in page and "99,row" not in page and "<td>99</td>" in page
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
