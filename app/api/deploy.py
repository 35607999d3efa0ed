"""For browsers: /deploy and the like show what a package would be, and then deploy exactly that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g, request

from geomill.app import errors, links, pages
from geomill.app.api import deployment
from geomill.app.cwl.document import InvalidPackage, NoName, WorkflowNotFound
from geomill.app.deployment import Plan
from geomill.app.errors import ImmutableProcess
from geomill.app.exchange import InvalidRequest
from geomill.app.exchange.package import Package
from geomill.app.guard import Refused, Unreachable
from geomill.app.negotiation import HTML
from geomill.app.operations import Answer, operation
from geomill.app.pages.form.snippets import coded, laid_out
from geomill.app.pages.form.wording import kind
from geomill.app.pages.packages import Given, digest
from geomill.app.sandbox import NoIsolation
from geomill.app.schemas import DryRunSchema, dump
from geomill.app.security import refuse_foreign
from geomill.app.server import current_app
from geomill.jobstore import StoreFull, UnderMaintenance
from geomill.processes.deployed import DuplicatedProcess
from geomill.processes.records import CorruptProcess

bp = Blueprint("deploy", __name__)

PAGE = Answer("A page.")
DONE = Answer("It is done; here is the process.", media_types=())
# what is wrong with a package is said where it can be changed
REFUSALS = (
    *(InvalidRequest, InvalidPackage, DuplicatedProcess, ImmutableProcess, NoIsolation, Refused, Unreachable),
    *(StoreFull, UnderMaintenance),
)

UNNAMED = "The process has no id. Write one into the document (id: my-process), or what to call it into the field."

FOR_BROWSERS: dict[str, Any] = {"offers": (HTML,), "documented": False}


@bp.get("/deploy")
@operation("showDeployment", {200: PAGE}, **FOR_BROWSERS)
def show() -> Response:
    """A form for a package to deploy."""
    return _page(Given())


@bp.post("/deploy/review")
@operation("reviewDeployment", {200: PAGE}, (409, 422, 503, 507), **FOR_BROWSERS)
def review() -> Response:
    """What would be deployed, before it is."""
    return _begin(None, _reviewed)


@bp.post("/deploy")
@operation("deployFromPage", {303: DONE}, (409, 422, 503, 507), **FOR_BROWSERS)
def begin() -> Response:
    """Deploy what was shown; what has become another meanwhile is shown again."""
    return _begin(None, _done)


@bp.get("/processes/<process_id>/replacement")
@operation("showReplacement", {200: PAGE}, (403, 404), **FOR_BROWSERS)
def show_replacement(process_id: str) -> Response:
    """A form for a package that replaces one."""
    deployment.refuse_immutable(process_id)
    return _page(_now(process_id), replaced=process_id)


@bp.post("/processes/<process_id>/replacement/review")
@operation("reviewReplacement", {200: PAGE}, (403, 404, 422, 503, 507), **FOR_BROWSERS)
def review_replacement(process_id: str) -> Response:
    """What a process would become, before it does."""
    return _begin(process_id, _reviewed)


@bp.post("/processes/<process_id>/replacement")
@operation("replaceFromPage", {303: DONE}, (403, 404, 422, 503, 507), **FOR_BROWSERS)
def begin_replacement(process_id: str) -> Response:
    """Replace a process by what was shown."""
    return _begin(process_id, _done)


@bp.get("/processes/<process_id>/undeployment")
@operation("showUndeployment", {200: PAGE}, (403, 404), **FOR_BROWSERS)
def show_undeployment(process_id: str) -> Response:
    """What undeploying destroys and what stays."""
    deployment.refuse_immutable(process_id)
    return pages.render("undeploy.html", process_id=process_id, versions=_versions(process_id))


@bp.post("/processes/<process_id>/undeployment")
@operation("undeployFromPage", {303: DONE}, (403, 404, 503), **FOR_BROWSERS)
def begin_undeployment(process_id: str) -> Response:
    """Undeploy a process."""
    refuse_foreign(current_app.settings)
    deployment.refuse_immutable(process_id)
    current_app.processes.deployed.undeploy(process_id)
    return _to(links.to("processes.index"))


Next = Callable[[Given, Package, Plan, str | None], Response]


def _begin(replaced: str | None, following: Next) -> Response:
    """Plan what the form says and go on; or back to the form, with what is wrong."""
    refuse_foreign(current_app.settings)
    if replaced is not None:
        deployment.refuse_immutable(replaced)
    request.max_form_memory_size = current_app.settings.max_body
    given = Given()
    try:
        upload = request.files.get("file")
        given = Given.of(request.form, upload.read() if upload else b"")
        package = given.package()
        planned = deployment.plan(package, given.w or None, replaced)
        return following(given, package, planned, replaced)
    except REFUSALS as error:
        problem = errors.problem_of(error)
        told = {**errors.document(problem, error), **({"detail": UNNAMED} if isinstance(error, NoName) else {})}
        return _page(given, replaced, problem.status, problem=told, at=_at(error, given), taken=_taken(error))


def _reviewed(given: Given, package: Package, planned: Plan, replaced: str | None, changed: bool = False) -> Response:
    found = dump(DryRunSchema, deployment.dry_run(planned))
    return _page(given, replaced, found=found, seen=digest(planned), changed=changed)


def _done(given: Given, package: Package, planned: Plan, replaced: str | None) -> Response:
    if given.seen != digest(planned):
        return _reviewed(given, package, planned, replaced, changed=True)
    g.process_id = deployment.begin(planned, package, replaced).id  # for the audit log
    return _to(links.to("processes.show", process_id=g.process_id))


def _page(given: Given, replaced: str | None = None, status: int = 200, **content: Any) -> Response:
    versions = _versions(replaced) if replaced else []
    shown = {"given": given, "replaced": replaced, "versions": versions, "kind": kind, "coded": coded}
    if found := content.get("found"):
        shown["execute"] = laid_out(found["execute"])
    response = pages.render("deploy.html", status, **shown, **content)
    response.cache_control.no_store = True
    return response


def _now(process_id: str) -> Given:
    """The package of a process as it is, to be changed; nothing for one that is harmed."""
    try:
        deployed = current_app.processes.deployed
        content, _ = deployed.received(process_id, deployed.versions(process_id)[-1])
    except CorruptProcess:
        return Given()
    return Given(content)


def _versions(process_id: str) -> list[Any]:
    try:
        return current_app.processes.deployed.versions(process_id)
    except CorruptProcess:
        return []


def _at(error: Exception, given: Given) -> str | None:
    """The field in which an error can be mended; None for one that is not the package's."""
    if isinstance(error, NoName | WorkflowNotFound):
        return "w"
    if isinstance(error, StoreFull | UnderMaintenance):
        return None
    return "href" if given.href and not given.content else "text"


def _taken(error: Exception) -> str | None:
    """The process that has the id already, if that is what is wrong."""
    return error.process_id if isinstance(error, DuplicatedProcess) else None


def _to(address: str) -> Response:
    return Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})
