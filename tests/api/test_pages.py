"""Pages: what our templates wrote runs no script and stands in no frame; what a job wrote is no page of ours at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from support.markup import anchors, check_page, policy
from support.packages import CWL, as_yaml, tool

from geomill.app import create_app, operations
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.negotiation import HTML, JSON
from geomill.app.operations import Operation
from geomill.app.server import Geomill

Finished = Callable[[str, Any], str]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}


def addresses(app: Geomill) -> dict[str, Operation]:
    """The rules that can be read, and the operation of each."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    return {rule.rule: each for rule in rules if (each := operations.of(app, rule.endpoint))}


@pytest.fixture
def filled(worker: FlaskClient, finished: Finished) -> Callable[[str], str]:
    """What makes an address of a rule: of a job that has ended, of a process that was deployed."""
    job = finished("add", {"inputs": {"a": 1}}).rpartition("/")[2]
    worker.post("/processes", data=as_yaml(tool("shown")), content_type=CWL)
    known = {"job_id": job, "process_id": "shown", "output_id": "result", "name": "bad-input", "number": "0"}
    return lambda rule: re.sub(r"<(?:\w+:)?(\w+)>", lambda part: known[part[1]], rule)


def test_every_document_is_a_page_too(worker: FlaskClient, working: Geomill, filled: Callable[[str], str]) -> None:
    """All that is documented but files, logs and packages. 1.0: /req/html/definition, /req/html/content"""
    missing, wrong = set(), []
    for rule, documented in addresses(working).items():
        if JSON not in documented.offers or not documented.documented:
            continue
        if HTML not in documented.offers:
            missing.add(rule)
            continue
        address = filled(rule) + ("?limit=5" if rule == "/jobs" else "")  # people see fewer on a page than programs
        page, program = (worker.get(address, headers={"Accept": each}) for each in (HTML, JSON))
        assert (page.status_code, program.status_code) == (200, 200), (rule, page.text)
        check_page(page)
        told = {link["href"] for link in program.json.get("links", [])}
        wrong += [(rule, href) for href in told - anchors(page.text)]
    assert (missing, wrong) == (set(), [])


def test_every_page_is_closed(worker: FlaskClient, working: Geomill, filled: Callable[[str], str]) -> None:
    """All that are offered, as the rules tell them; those of rasters are looked at where there are some."""
    seen = set()
    for rule, offered in addresses(working).items():
        if HTML in offered.offers and 200 in offered.answers and "<path:" not in rule:
            answer = worker.get(filled(rule), headers=BROWSER)
            assert answer.status_code == 200, rule
            check_page(answer)
            seen.add(rule)
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
def test_an_error_is_a_page_that_is_closed(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method, headers=BROWSER)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (status, "no-store")
    check_page(answer)
    again = client.open(path, method=method, headers={"Accept": "*/*"})
    assert again.mimetype == "application/json" and again.headers["X-Content-Type-Options"] == "nosniff"
    assert str(escape(again.json["detail"])) in answer.text


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
    wicked = tool("evil", label="<script>alert(1)</script>", doc='" onload="alert(1)')
    made = client.post("/processes", data=as_yaml(wicked), content_type=CWL)
    assert made.status_code == 201, made.data
    assert "sandbox" in policy(client.get("/processes/evil/package", headers=BROWSER))
    for path in ("/processes/evil/package", "/processes/evil", "/processes/evil/versions", "/processes"):
        answer = client.get(path, headers=BROWSER)
        assert answer.status_code == 200 and answer.headers["X-Content-Type-Options"] == "nosniff"
        if answer.mimetype == HTML:
            check_page(answer)


def test_what_a_job_was_given_is_text_on_its_page(worker: FlaskClient, finished: Finished) -> None:
    link = {"href": "javascript:alert(1)", "rel": "x", "title": "<img src=x onerror=alert(1)>"}
    body = {"inputs": {"echoInput": "<script>alert(1)</script>", "mixedInput": {"value": {"<script>": link}}}}
    job = finished("echo", body)
    for path in ("/inputs", "/prov", "/events"):
        answer = worker.get(job + path, headers=BROWSER)
        check_page(answer)
    assert "&lt;script&gt;" in worker.get(f"{job}/inputs", headers=BROWSER).text
