"""The landing page: /."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from geomill.app import links
from geomill.app.operations import Answer, operation
from geomill.app.pages import landing
from geomill.app.schemas import LandingPageSchema, dump
from geomill.app.server import current_app
from geomill.app.written import once
from geomill.jobstore import maintenance
from geomill.jobstore.maintenance import Maintenance

bp = Blueprint("landing", __name__)


@bp.get("/")
@operation(
    "getLandingPage",
    {200: Answer("Where everything is.", LandingPageSchema)},
    page=landing.page,
)
def show() -> Any:
    """Where everything is. /req/core/landingpage-op"""
    standing = maintenance.read(current_app.settings.home)
    return once(standing, lambda: _page(standing))


def _page(standing: Maintenance | None) -> dict[str, Any]:
    settings = current_app.settings
    page = {
        "title": settings.title,
        "description": settings.description,
        "maintenance": standing,
        "links": links.of_landing(),
    }
    return dump(LandingPageSchema, page)
