"""The conformance classes met: /conformance."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from geomill.app import pages
from geomill.app.cwl.validate import installed
from geomill.app.operations import Answer, operation
from geomill.app.schemas import ConfClassesSchema, dump

bp = Blueprint("conformance", __name__)

SPEC = "http://www.opengis.net/spec/"
STANDARDS = {
    "ogcapi-processes-1": "OGC API - Processes - Part 1: Core",
    "ogcapi-processes-2": "OGC API - Processes - Part 2: Deploy, Replace, Undeploy",
    "ogcapi-common-1": "OGC API - Common - Part 1: Core",
}
PROCESSES = ("core", "ogc-process-description", "json", "oas30", "job-list", "callback", "dismiss", "html")
DEPLOYMENT, OF_CWL = ("deploy-replace-undeploy",), ("ogcapppkg", "cwl")


def classes() -> list[str]:
    """The URIs of the classes met; packages need what reads them."""
    deployment = DEPLOYMENT + (OF_CWL if installed() else ())
    return [
        *(f"{SPEC}ogcapi-processes-1/1.0/conf/{name}" for name in PROCESSES),
        *(f"{SPEC}ogcapi-processes-1/2.0/conf/{name}" for name in (*PROCESSES, "oas")),
        *(f"{SPEC}ogcapi-processes-2/1.0/conf/{name}" for name in deployment),
        *(f"{SPEC}ogcapi-common-1/1.0/conf/{name}" for name in ("core", "json")),
    ]


def page(document: dict[str, Any]) -> Response:
    """The classes by standard and version, "OGC API - Processes - Part 1, 1.0"."""
    listed = []
    for uri in document["conformsTo"]:
        standard, version, _, name = uri.removeprefix(SPEC).split("/")
        listed.append({"uri": uri, "name": name, "prefix": f"{STANDARDS[standard]}, {version}"})
    return pages.render("conformance.html", classes=listed)


@bp.get("/conformance")
@operation("getConformanceClasses", {200: Answer("The conformance classes met.", ConfClassesSchema)}, page=page)
def show() -> Any:
    """The conformance classes met. /req/core/conformance-op"""
    return dump(ConfClassesSchema, {"conforms_to": classes()})
