"""The server at this moment: /admin, for who runs it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, request

from geomill.app import admin, links, pages
from geomill.app.addresses import TENANT
from geomill.app.negotiation import TEXT
from geomill.app.operations import Answer, operation
from geomill.app.schemas import ServerStateSchema, dump
from geomill.app.server import current_app
from geomill.app.tenant_names import DEFAULT

bp = Blueprint("admin", __name__)


@bp.get("/admin")
@operation(
    "getServerState",
    {200: Answer("What waits and runs, what fails, what is left.", ServerStateSchema)},
    streams=True,
    page=pages.document("admin.html"),
)
def show() -> Any:
    """The server at this moment, for who runs it; an admin of one tenant sees that one."""
    tenants = g.caller.tenants
    names = admin.names_of(current_app, tenants, request.environ[TENANT])
    found = admin.document(current_app, names, whole=tenants is None)
    here = links.link(links.to("admin.show"), "self", "This document")
    figures = links.link(links.in_tenant(DEFAULT, "/metrics"), "related", "Figures for Prometheus", TEXT)
    more = [figures] if tenants is None else []
    return dump(ServerStateSchema, {**found, "links": [here, links.up_to_jobs(), *more]})
