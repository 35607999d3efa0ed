"""Deployment: POST /processes, PUT and DELETE /processes/{processID}, and the package of a process."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, jsonify, request

from geomill.app import deployment, links, pages
from geomill.app.api.body import whole_body
from geomill.app.cwl.sample import sample
from geomill.app.deployment import Plan
from geomill.app.errors import ImmutableProcess
from geomill.app.exchange.package import ACCEPTED, Package, check_type, read
from geomill.app.negotiation import ANY
from geomill.app.operations import Answer, operation
from geomill.app.schemas import (
    DeployQuery,
    DryRunSchema,
    OgcPackageSchema,
    PackageQuery,
    ProcessSummarySchema,
    VersionsSchema,
    dump,
)
from geomill.app.schemas.queries import read as read_query
from geomill.app.security import SANDBOX
from geomill.app.server import current_app
from geomill.processes.deployed import DuplicatedProcess, NoSuchVersion, Version
from geomill.processes.records import CorruptProcess, NoSuchProcess, Process

bp = Blueprint("deployment", __name__)

DEPLOYED = Answer("The process is deployed.", ProcessSummarySchema, headers=("Location",))
DRY_RUN = Answer("What would be deployed, by a dry run.", DryRunSchema)
CHANGED = Answer("It is done.", media_types=())


@bp.post("/processes")
@operation(
    "deploy",
    {200: DRY_RUN, 201: DEPLOYED},
    problems=(409, 413, 415, 422, 503, 507),
    query=DeployQuery,
    body=OgcPackageSchema,
    takes=ACCEPTED,
)
def deploy() -> Any:
    """Deploy a process. /req/deploy-replace-undeploy/deploy-post-op"""
    asked, media_type = read_query(DeployQuery), _media_type()
    package = read(whole_body(), media_type)
    planned = plan(package, asked["w"])
    if asked["dry_run"]:
        return dump(DryRunSchema, dry_run(planned))
    process = begin(planned, package)
    response = jsonify(dump(ProcessSummarySchema, process))
    response.status_code = 201
    response.headers["Location"] = links.to("processes.show", process_id=process.id)
    return response


@bp.put("/processes/<process_id>")
@operation(
    "replace",
    {200: DRY_RUN, 204: CHANGED},
    problems=(404, 413, 415, 422, 503, 507),
    query=DeployQuery,
    body=OgcPackageSchema,
    takes=ACCEPTED,
)
def replace(process_id: str) -> Any:
    """Replace a process; its jobs keep the package they have. /req/deploy-replace-undeploy/replace-put-op"""
    asked, media_type = read_query(DeployQuery), _media_type()
    refuse_immutable(process_id)
    package = read(whole_body(), media_type)
    planned = plan(package, asked["w"], process_id)
    if asked["dry_run"]:
        return dump(DryRunSchema, dry_run(planned))
    begin(planned, package, process_id)
    return _done()


@bp.delete("/processes/<process_id>")
@operation("undeploy", {204: CHANGED}, problems=(404, 503))
def undeploy(process_id: str) -> Any:
    """Undeploy a process; its jobs stay. /req/deploy-replace-undeploy/undeploy-delete-op"""
    refuse_immutable(process_id)
    current_app.processes.deployed.undeploy(process_id)
    return _done()


@bp.get("/processes/<process_id>/package")
@operation(
    "getPackage",
    {200: Answer("The package as it was deployed.", media_types=(ANY,))},
    problems=(403, 404, 503),
    query=PackageQuery,
    offers=(ANY,),
)
def package(process_id: str) -> Any:
    """The package of a process, byte for byte as it was deployed. /req/deploy-replace-undeploy/package-get-op"""
    refuse_immutable(process_id)
    deployed, digest = current_app.processes.deployed, read_query(PackageQuery)["package"]
    versions = [each for each in deployed.versions(process_id) if digest in (None, each.package)]
    if not versions:
        raise NoSuchVersion(f"Process {process_id!r} never had the package {digest!r}; its versions name those it had.")
    content, media_type = deployed.received(process_id, versions[-1])
    return Response(content, content_type=media_type, headers=SANDBOX)


@bp.get("/processes/<process_id>/versions")
@operation(
    "getVersions",
    {200: Answer("The versions of a process.", VersionsSchema)},
    problems=(403, 404, 503),
    page=pages.plain("Versions of {process_id}"),
)
def versions(process_id: str) -> Any:
    """What a process was and is, the latest version last."""
    refuse_immutable(process_id)
    kept = current_app.processes.deployed.versions(process_id)
    listed = [_version(process_id, version, current=version is kept[-1]) for version in kept]
    process = links.link(links.to("processes.show", process_id=process_id), "up", "The description of the process")
    return dump(VersionsSchema, {"versions": listed, "links": [process]})


def plan(package: Package, w: str | None, replaced: str | None = None) -> Plan:
    """What would be deployed, or what would replace a process; nothing is written. Raises what either is refused with.

    w: names the entry of the document.
    """
    current_app.jobs.admission.check_room(current_app.jobs.home)
    current_app.engine.expect("cwl")  # it loads while the document is read
    planned = deployment.plan(package, current_app.settings, current_app.guard, w=w, replaced=replaced)
    if replaced is None:
        _refuse_taken(planned.process_id)
    return planned


def dry_run(planned: Plan) -> dict[str, Any]:
    """What deploying a plan would come to: the process, a request for it, what keeps it apart, what to know."""
    process = deployment.preview(planned, current_app.processes.deployed)
    isolation, warnings = deployment.isolation(planned, current_app.sandbox)
    execute = sample(process.description)
    return {"process": process, "execute": execute, "isolation": isolation, "warnings": [*planned.warnings, *warnings]}


def begin(planned: Plan, package: Package, replaced: str | None = None) -> Process:
    """Deploy what was planned, or have it replace a process. Raises NoIsolation, DuplicatedProcess."""
    deployed = current_app.processes.deployed
    deployment.prepare(planned, current_app.sandbox)
    version = deployment.keep(planned, package, deployed)
    return deployed.deploy(planned.process_id, version) if replaced is None else deployed.replace(replaced, version)


def _media_type() -> str:
    """What the body is. Raises UnsupportedMediaType. /req/deploy-replace-undeploy/deploy-unsupported-media-type"""
    return check_type(request.headers.get("Content-Type"))


def refuse_immutable(process_id: str) -> None:
    """Raise ImmutableProcess for a process that clients cannot change, NoSuchProcess where there is none."""
    with suppress(CorruptProcess):  # one that was deployed, and can be repaired
        if not current_app.processes.get(process_id).mutable:
            raise ImmutableProcess(process_id)


def _refuse_taken(process_id: str) -> None:
    """Raise DuplicatedProcess or ImmutableProcess for an id that a process has."""
    with suppress(NoSuchProcess):
        refuse_immutable(process_id)
        raise DuplicatedProcess(process_id)


def _done() -> Response:
    """204: no content, and so no type of it."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def _version(process_id: str, version: Version, *, current: bool) -> dict[str, Any]:
    address = links.to("deployment.package", process_id=process_id, package=version.package)
    package = {**links.link(address, "describedby", "The package as deployed"), "type": ANY}
    return {**vars(version), "current": current, "links": [package]}
