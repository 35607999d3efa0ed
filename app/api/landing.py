"""The landing page: /."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from geomill.app import links
from geomill.app.operations import Answer, operation
from geomill.app.pages import landing
from geomill.app.schemas import LandingPageSchema, dump
from geomill.app.server import current_app
from geomill.jobstore import maintenance

bp = Blueprint("landing", __name__)


@bp.get("/")
@operation(
    "getLandingPage",
    {200: Answer("Where everything is.", LandingPageSchema)},
    page=landing.page,
)
def show() -> Any:
    """Where everything is. /req/core/landingpage-op"""
    settings = current_app.settings
    page = {
        "title": settings.title,
        "description": settings.description,
        "maintenance": maintenance.read(settings.home),
        "links": links.of_landing(),
    }
    return dump(LandingPageSchema, page)
