"""The table of DESIGN.md: what a request says, and the form of its results, at once and later."""

from __future__ import annotations

import json
from collections.abc import Callable
from email import message_from_bytes
from typing import Any

import pytest
from api.conftest import Execute
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Finished = Callable[[str, Any], str]

ADD: dict[str, Any] = {"inputs": {"a": 1, "b": 2}}
BOTH: dict[str, Any] = {"inputs": {"text": "t"}}
DOCUMENTS = {"add": {"result": 3}, "both": {"first": "t", "second": {"value": {"text": "t"}}}}


def values(*names: str) -> dict[str, Any]:
    return {"outputs": {name: {"transmissionMode": "value"} for name in names}}


def references(*names: str) -> dict[str, Any]:
    return {"outputs": {name: {"transmissionMode": "reference"} for name in names}}


def form(answer: TestResponse, process: str) -> str:
    """Which of the forms an answer has, its content checked."""
    if answer.status_code == 204:
        assert answer.data == b"" and "Content-Type" not in answer.headers
        return f"{len([link for link in answer.headers.getlist('Link') if 'related' in link])} links"
    assert answer.status_code == 200
    if answer.mimetype == "multipart/related":
        head = f"Content-Type: {answer.content_type}\r\n\r\n".encode()
        parts = [part for part in message_from_bytes(head + answer.data).walk() if not part.is_multipart()]
        assert [part["Content-ID"].strip("<>") for part in parts] == list(DOCUMENTS[process])
        assert parts[0].get_payload() == "t"
        assert json.loads(str(parts[1].get_payload())) == {"text": "t"}
        return "multipart"
    assert answer.content_type == "application/json"
    if answer.json == DOCUMENTS[process]:
        return "document"
    assert answer.json == 3
    return "bare"


@pytest.mark.parametrize(
    "process, members, sync, later",
    [
        ("add", {"response": "document"}, "document", "document"),
        ("both", {"response": "document"}, "document", "document"),
        ("both", {"response": "document", **values("first", "second")}, "document", "document"),
        ("add", {"response": "raw"}, "bare", "bare"),
        ("both", {"response": "raw"}, "multipart", "multipart"),
        ("add", values("result"), "bare", "bare"),
        ("both", values("first", "second"), "multipart", "multipart"),
        ("add", references("result"), "1 links", "1 links"),
        ("both", references("first", "second"), "2 links", "2 links"),
        ("add", {}, "bare", "document"),
        ("both", {}, "document", "document"),
        ("add", {"outputs": {"result": {}}}, "bare", "document"),
        ("both", {"outputs": {"first": {}, "second": {}}}, "document", "document"),
    ],
)
def test_the_form_of_results_follows_the_request(
    worker: FlaskClient,
    execute: Execute,
    finished: Finished,
    process: str,
    members: dict[str, Any],
    sync: str,
    later: str,
) -> None:
    body = {**(ADD if process == "add" else BOTH), **members}
    assert form(execute(process, body), process) == sync
    assert form(worker.get(finished(process, body) + "/results"), process) == later


def test_multipart_is_had_in_the_style_of_2_0_only_when_accept_names_it(execute: Execute) -> None:
    assert form(execute("both", BOTH, Accept="multipart/related"), "both") == "multipart"
    assert form(execute("both", BOTH, Accept="*/*"), "both") == "document"


def test_a_document_of_2_0_names_its_profile(execute: Execute) -> None:
    links = execute("both", BOTH).headers.getlist("Link")
    assert '<https://www.opengis.net/def/profile/OGC/0/ogc-results>; rel="profile"' in links


@pytest.mark.parametrize("first, second", [("minimal", "representation"), ("representation", "minimal")])
def test_prefer_on_results_overrides_that_of_the_request(
    worker: FlaskClient, execute: Execute, first: str, second: str
) -> None:
    """Of the page that a process wrote: linked for minimal, inline for representation."""
    body = {"inputs": {"text": "<p>"}, "response": "document"}
    answer = execute("page", body, Prefer=f"return={first}")
    results = answer.headers["Location"] + "/results"
    again = worker.get(results, headers={"Prefer": f"return={second}"})
    assert worker.get(results).json == answer.json
    linked = {"href", "rel", "type", "file:size", "file:checksum"}
    forms = {"minimal": linked, "representation": {"value", "mediaType"}}
    assert (set(answer.json["result"]), set(again.json["result"])) == (forms[first], forms[second])
