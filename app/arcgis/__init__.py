"""The ArcGIS face: a geoprocessing service of each process, over the same store, engine, processes and callers.

Sources: Esri, "GP service" and those below it (REST API), "Jobs" and those below it (ArcGIS Server Administrator API).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response

from geomill.app import errors
from geomill.app.arcgis import answers, states, tokens

if TYPE_CHECKING:
    from geomill.app.server import Geomill


def init_app(app: Geomill) -> None:
    """Read the requests that are for addresses of ArcGIS before anybody asks who sent them, and tell errors its way."""
    from geomill.app.arcgis import admin, services, tasks

    def answer(error: Exception) -> Response:
        return answers.refused(error) if answers.is_ours() else errors.answer(error)

    app.url_map.converters["gp_job"] = states.JobId
    app.before_request(answers.read_request)
    app.before_request(tokens.show)
    app.register_error_handler(Exception, answer)
    assert tasks.bp is services.bp  # as that of jobs: one blueprint for all of REST
    for module in (services, tokens, admin):
        app.register_blueprint(module.bp)
    for method in ("GET", "POST"):  # above what the blueprints are for
        app.add_url_rule(answers.PREFIX, "arcgis.top", services.catalogue, methods=[method])
        app.add_url_rule(answers.ADMIN, "arcgis_admin.top", admin.top, methods=[method])
