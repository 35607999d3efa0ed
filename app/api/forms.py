"""For the page of a process: /processes/{processID}/form, /request and /extent. They change nothing."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import BadRequest

from geomill.app.api.body import whole_body
from geomill.app.api.execution import seat
from geomill.app.exchange.strictjson import loads
from geomill.app.guard import Refused, Unreachable
from geomill.app.negotiation import HTML
from geomill.app.operations import Answer, operation
from geomill.app.pages import extents, posted
from geomill.app.pages import process as page
from geomill.app.pages.form.editing import edited
from geomill.app.pages.form.entries import Entries, element_id
from geomill.app.pages.form.form import form_of
from geomill.app.schemas import ProcessSchema, dump
from geomill.app.security import refuse_foreign
from geomill.app.server import current_app

bp = Blueprint("forms", __name__)

MOST_FETCHED, PATIENCE = 1 << 20, 5.0  # bytes of a document that is only to be looked at, and seconds


@bp.post("/processes/<process_id>/form")
@operation("changeForm", {200: Answer("The form.")}, (404, 503), offers=(HTML,), documented=False)
def change(process_id: str) -> Response:
    """The page of a process with its form as a button changed it; without scripts that is how rows are added."""
    document = dump(ProcessSchema, current_app.processes.get(process_id))
    entries, form = _posted(), form_of(document)
    changed, focus, errors = edited(form, entries, entries.get("do", ""))
    response = page.show(document, form, changed, errors, focus=focus)
    response.cache_control.no_store = True
    return response


@bp.post("/processes/<process_id>/request")
@operation("showRequest", {200: Answer("The request.")}, (404, 503), documented=False)
def show(process_id: str) -> Any:
    """The request that a form makes, for other programs; and what is wrong with it."""
    process = current_app.processes.get(process_id)
    checked = page.checked(process.description, _posted())
    made = page.snippets(process.id, checked.reading)
    errors = {element_id(name): sentence for name, sentence in checked.errors.items()}
    return jsonify({"json": made.json, "curl": made.curl, "python": made.python, "errors": errors})


@bp.post("/processes/<process_id>/extent")
@operation("showExtent", {200: Answer("Where its inputs lie.")}, (404, 503), documented=False)
def extent(process_id: str) -> Any:
    """Where the inputs of a form lie, for its map: which says so, and a box of degrees; null where none does."""
    described: dict[str, Any] = current_app.processes.get(process_id).description.get("inputs") or {}
    inputs = form_of({"inputs": described}).read(_posted()).request["inputs"]
    with seat(True) as seated:
        found = extents.find(inputs, _document if seated else _nothing)
    found = found or extents.find(extents.examples(described), _nothing)
    title = found and (described.get(found[0], {}).get("title") or found[0])
    return jsonify({"of": title, "bbox": found and found[1]})


def _nothing(href: str) -> None:
    """What is not fetched."""


def _document(href: str) -> Any:
    """The document of an address, as the job would fetch it, if it comes soon and is small; else None."""
    guard = replace(current_app.guard, max_bytes=MOST_FETCHED, timeout=PATIENCE)
    with suppress(Refused, Unreachable, ValueError), tempfile.TemporaryDirectory(prefix="geomill-extent-") as folder:
        return loads(guard.fetch(href, Path(folder)).path.read_bytes())
    return None


def _posted() -> Entries:
    """The form in the body. Raises BadRequest for what is none, and ForeignOrigin."""
    refuse_foreign(current_app.settings)
    entries = posted.entries(whole_body())
    if entries is None:
        raise BadRequest("The body is no form of the page of a process.")
    return entries
