"""The API definition: /api, as OpenAPI or as a page."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import NotFound

from geomill.app import links, openapi
from geomill.app.negotiation import ANY, HTML, JSON, OPENAPI
from geomill.app.operations import Answer, operation
from geomill.app.pages import api
from geomill.app.server import current_app

bp = Blueprint("definition", __name__)


@bp.get("/api")
@operation("getAPI", {200: Answer("The API definition.")}, offers=(OPENAPI, JSON), page=api.page)
def show() -> Any:
    """The API definition. /req/core/api-definition-op"""
    document = _document()
    if g.media_type == HTML:
        return document
    return Response(json.dumps(document, indent=1), content_type=g.media_type)


@bp.get("/api/calls/<operation_id>")
@operation("callOperation", {303: Answer("Where the form leads.", media_types=())}, offers=(ANY,), documented=False)
def call(operation_id: str) -> Response:
    """Where a form of the page leads a browser without scripts: to an operation that reads."""
    address = api.called(_document(), operation_id, request.args.to_dict())
    if address is None:
        raise NotFound(f"No operation that reads is called {operation_id!r}.")
    return Response(status=303, headers={"Location": address})


def _document() -> dict[str, Any]:
    return openapi.document(current_app, links.to("landing.show"), current_app.identity.nobody().role)
