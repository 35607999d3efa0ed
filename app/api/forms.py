"""For the page of a process: /processes/{processID}/form and /processes/{processID}/request. They change nothing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import BadRequest

from geomill.app.api.body import whole_body
from geomill.app.negotiation import HTML
from geomill.app.operations import Answer, operation
from geomill.app.pages import posted
from geomill.app.pages import process as page
from geomill.app.pages.form.editing import edited
from geomill.app.pages.form.entries import Entries, element_id
from geomill.app.pages.form.form import form_of
from geomill.app.schemas import ProcessSchema, dump
from geomill.app.security import refuse_foreign
from geomill.app.server import current_app

bp = Blueprint("forms", __name__)


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


def _posted() -> Entries:
    """The form in the body. Raises BadRequest for what is none, and ForeignOrigin."""
    refuse_foreign(current_app.settings)
    entries = posted.entries(whole_body())
    if entries is None:
        raise BadRequest("The body is no form of the page of a process.")
    return entries
