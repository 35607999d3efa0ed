"""The API definition: /api, as OpenAPI or as a page."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, g

from geomill.app import links, openapi, pages
from geomill.app.negotiation import HTML, JSON, OPENAPI
from geomill.app.operations import Answer, operation
from geomill.app.server import current_app

bp = Blueprint("definition", __name__)


@bp.get("/api")
@operation("getAPI", {200: Answer("The API definition.")}, offers=(OPENAPI, JSON), page=pages.document("api.html"))
def show() -> Any:
    """The API definition. /req/core/api-definition-op"""
    document = openapi.document(current_app, links.to("landing.show"), current_app.identity.nobody().role)
    if g.media_type == HTML:
        return document
    return Response(json.dumps(document, indent=1), content_type=g.media_type)
