"""Pages: what our templates wrote runs no script and stands in no frame; what a job wrote is no page of ours at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from geomill.app import create_app, operations
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.negotiation import HTML
from geomill.app.server import Geomill

Finished = Callable[[str, Any], str]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
HERE = re.compile(r"<(script|iframe|object|embed|base|img)|<[^>]*(\son\w+|\ssrc|javascript:)", re.IGNORECASE)


def policy(answer: TestResponse) -> dict[str, str]:
    """The content security policy of an answer, by directive."""
    parts = answer.headers.get("Content-Security-Policy", "").split(";")
    return dict((*part.split(maxsplit=1), "")[:2] for part in parts if part.strip())  # type: ignore[misc]


def check_page(answer: TestResponse) -> None:
    """An answer in HTML that may do nothing but be read, and sent back if it is a form."""
    assert answer.mimetype == HTML and not HERE.search(answer.text)
    found = policy(answer)
    assert found["default-src"] == "'none'" and "script-src" not in found
    assert found["frame-ancestors"] == "'none'"
    assert found["form-action"] == ("'self'" if answer.request.path.endswith("/login") else "'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_every_page_is_closed(app: Geomill) -> None:
    """All that are offered, as the rules tell them."""
    client, seen = app.test_client(), set()
    for rule in app.url_map.iter_rules():
        offered = operations.of(app, rule.endpoint)
        if offered and HTML in offered.offers and "GET" in (rule.methods or ()):
            path = rule.rule.replace("<name>", "bad-input")
            assert "<" not in path, path
            answer = client.get(path, headers=BROWSER)
            assert answer.status_code == 200
            check_page(answer)
            seen.add(rule.rule)
    assert seen >= {"/", "/api", "/problems/<name>", "/login"}


@pytest.mark.parametrize("path", ["/", "/api"])
def test_texts_of_the_settings_are_text(settings: Settings, path: str) -> None:
    wicked = "</title><script>alert(1)</script><img src=x onerror=alert(1)>"
    client = create_app(replace(settings, title=wicked, description=wicked)).test_client()
    answer = client.get(path, headers=BROWSER)
    check_page(answer)
    assert "&lt;script&gt;" in answer.text


def test_pages_for_who_is_not_known_are_closed_too(settings: Settings) -> None:
    Tokens(settings.home).create("ann", Role.READER, None, None)
    client = create_app(replace(settings, anonymous="none")).test_client()
    refused = client.get("/jobs?a=%22%3E%3Cscript%3E", headers=BROWSER)
    wrong = client.post("/login", data={"token": "<script>", "next": "/"}, headers={"Origin": "http://localhost"})
    for answer in (refused, wrong):
        assert answer.status_code == 401
        check_page(answer)


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/<script>alert(1)</script>", 404),
        ("GET", "/jobs/%3Cscript%3Ealert(1)%3C/script%3E", 404),
        ("GET", "/processes/%3Cscript%3E", 404),
        ("GET", "/problems/%3Cscript%3E", 404),
        ("GET", "/%3Cscript%3E/ogc-api/jobs", 404),
        ("GET", "/jobs?limit=%3Cscript%3E", 400),
        ("PATCH", "/jobs", 405),
        ("POST", "/processes/echo/execution", 400),
    ],
)
def test_an_error_is_no_page(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method, headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


SCRIPTS = {
    "page.html": "<script>alert(document.cookie)</script>",
    "drawing.svg": "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "page.xhtml": "<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>",
    "feed.xml": "<?xml-stylesheet type='text/xsl' href='#'?><a/>",
    "code.js": "alert(1)",
    "page.pdf": "%PDF-1.7 /OpenAction",
    "mail.mhtml": "Content-Type: text/html",
    "any": "<html><script>alert(1)</script>",
    "text.txt": "<html><script>alert(1)</script>",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_job_wrote_is_of_no_origin(worker: FlaskClient, finished: Finished, name: str) -> None:
    text = SCRIPTS[name]
    job = finished("named", {"inputs": {"name": name, "text": text}})
    for path in ("/results/result", f"/files/{name}", "/logs"):
        for headers in (BROWSER, {**BROWSER, "Range": "bytes=0-3"}, {**BROWSER, "Prefer": "return=representation"}):
            answer = worker.get(job + path, headers=headers)
            assert answer.status_code in (200, 206), (path, answer.data)
            found = policy(answer)
            assert "sandbox" in found and found["sandbox"] == "" and found["default-src"] == "'none'", path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert worker.get(f"{job}/files/{name}").data == text.encode()


@pytest.mark.parametrize("style", [{}, {"response": "raw"}, {"response": "document"}])
def test_a_value_that_is_a_page_is_of_no_origin(worker: FlaskClient, style: dict[str, str]) -> None:
    body = {"inputs": {"echoInput": "<script>alert(1)</script>"}, **style}
    answer = worker.post("/processes/echo/execution", json=body, headers=BROWSER)
    assert answer.status_code == 200 and answer.mimetype != HTML
    assert "sandbox" in policy(answer) and answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_package_that_is_a_page_is_of_no_origin(client: FlaskClient) -> None:
    document = {"cwlVersion": "v1.2", "class": "CommandLineTool", "id": "evil", "baseCommand": "true", "inputs": [],
                "outputs": [], "label": "<script>alert(1)</script>"}  # fmt: skip
    made = client.post("/processes", data=json.dumps(document), content_type="application/cwl+json")
    assert made.status_code == 201, made.data
    for path in ("/processes/evil/package", "/processes/evil", "/processes/evil/versions", "/processes"):
        answer = client.get(path, headers=BROWSER)
        assert answer.status_code == 200 and answer.mimetype != HTML
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in policy(client.get("/processes/evil/package", headers=BROWSER))
