"""The landing page: /."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, render_template

from geomill.app import links
from geomill.app.negotiation import HTML, JSON
from geomill.app.operations import Answer, operation
from geomill.app.schemas import LandingPageSchema, dump
from geomill.app.security import PAGE
from geomill.app.server import current_app
from geomill.jobstore import maintenance

bp = Blueprint("landing", __name__)


@bp.get("/")
@operation("getLandingPage", {200: Answer("Where everything is.", LandingPageSchema)}, offers=(JSON, HTML))
def show() -> Any:
    """Where everything is. /req/core/landingpage-op"""
    settings = current_app.settings
    page = {
        "title": settings.title,
        "description": settings.description,
        "maintenance": maintenance.read(settings.home),
        "links": links.of_landing(),
    }
    if g.media_type == HTML:
        return Response(render_template("landing.html", page=page), headers=PAGE)
    return dump(LandingPageSchema, page)
