"""The jobs of a service for who runs the server: /arcgis/admin/services/{service}.GPServer/jobs.

Source: Esri, "Jobs", "Query jobs", "Cancel job", "Delete job", "Purge job queue" (ArcGIS Server Administrator API).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from geomill.app import links
from geomill.app.addresses import TENANT
from geomill.app.api.job_forms import AT_A_TIME
from geomill.app.arcgis import answers, queries
from geomill.app.arcgis.answers import Field, Form, said
from geomill.app.arcgis.jobs import job_of
from geomill.app.arcgis.services import FULL_VERSION, HIDDEN, VERSION, View, of_task
from geomill.app.arcgis.states import STATES, esri_id, milliseconds, state
from geomill.app.errors import InvalidQuery
from geomill.app.operations import Answer, operation
from geomill.app.security import host_name
from geomill.app.server import current_app
from geomill.jobstore import Filters, NoSuchJob, Status, StatusChanged, StatusInfo, listing

bp = Blueprint("arcgis_admin", __name__, url_prefix=f"{answers.ADMIN}/services")

JOBS = "/<process_id>.GPServer/jobs"
JOB = f"{JOBS}/<gp_job:job_id>"
LARGEST_PAGE = 1000
ASKED = ("startTime", "endTime", "jobStatus", "userName", "machineName")
COUNTED = {
    "total": (),
    "cancelled": (Status.DISMISSED,),
    "failed": (Status.FAILED,),
    "succeeded": (Status.SUCCESSFUL,),
}
QUERY = (
    Field("startTime", "From", "In milliseconds since 1970; all if nothing."),
    Field("endTime", "To", "In milliseconds since 1970."),
    Field("jobStatus", "Status", options=("", *STATES)),
    Field("userName", "User", "null: of nobody in particular."),
    Field("number", "How many", value="10"),
    Field("start", "From the n-th on", value="1"),
)


def both(path: str) -> Callable[[View], View]:
    """GET and POST, a rule for each, with and without the folder that the service is in."""

    def register(view: View) -> View:
        for folder in ("", "/<folder>"):
            for method in ("GET", "POST"):
                bp.add_url_rule(folder + path, view.__name__, view, methods=[method])
        return view

    return register


@operation("getGPAdmin", {200: Answer("What there is for who runs the server.")}, **HIDDEN)
def top() -> Response:
    """What there is for who runs the server."""
    document = {"currentVersion": VERSION, "fullVersion": FULL_VERSION, "resources": ["services"]}
    leads = [(links.to("arcgis_admin.services"), "The services"), (links.to("arcgis.catalogue"), "To run them")]
    return answers.answer(document, "Administration", leads=leads)


@both("")
@operation("getGPAdminServices", {200: Answer("The services, each with its jobs.")}, **HIDDEN)
def services(folder: str = "") -> Response:
    """The services, each with its jobs."""
    _check_folder(folder)
    processes = current_app.processes.list()
    document = {
        "folderName": "/",
        "folders": [],
        "services": [{"folderName": "/", "serviceName": each.id, "type": "GPServer"} for each in processes],
    }
    leads = [(links.to("arcgis_admin.jobs", process_id=each.id), f"Jobs of {each.id}") for each in processes]
    above = (links.to("arcgis_admin.top"), "Administration")
    return answers.answer(document, "Jobs of services", leads=leads, above=above)


@both(JOBS)
@operation("getGPJobsResource", {200: Answer("What there is of the jobs of a service.")}, **HIDDEN)
def jobs(process_id: str, folder: str = "") -> Response:
    """What there is of the jobs of a service."""
    _check_service(process_id, folder)
    at = {"process_id": process_id}
    leads = [(links.to("arcgis_admin.statistics", **at), "Statistics")]
    forms = [
        Form(links.to("arcgis_admin.query", **at), "Query jobs", QUERY),
        Form(links.to("arcgis_admin.purge", **at), "Purge job queue", text="Cancels all jobs that wait.", danger=True),
    ]
    return answers.answer({"resources": ["statistics"]}, f"Jobs of {process_id}", leads=leads, forms=forms)


@both(f"{JOBS}/query")
@operation("queryGPJobs", {200: Answer("Jobs of a service, newest first.")}, **HIDDEN)
def query(process_id: str, folder: str = "") -> Response:
    """Jobs of a service, newest first."""
    _check_service(process_id, folder)
    first, count = _number("start", 1, 1, listing.MOST), _number("number", 10, 0, LARGEST_PAGE)
    asked = {name: said(name) for name in ASKED if said(name)}
    found, total = queries.found(process_id, asked, first - 1, count)
    if asked.get("machineName") not in (None, _machine()):
        found, total = [], 0
    document = {
        "total": total,
        "query": {"serviceName": process_id, "serviceType": "GPServer", **asked},
        "num": len(found),
        "start": first,
        "nextStart": first + count if count and first - 1 + count < total else -1,
        "results": [_document(each) for each in found],
    }
    at = {"process_id": process_id}
    leads = [(links.to("arcgis_admin.job", **at, job_id=each.job_id), esri_id(each.job_id)) for each in found]
    above = (links.to("arcgis_admin.jobs", **at), f"Jobs of {process_id}")
    return answers.answer(document, f"Jobs of {process_id}", leads=leads, above=above)


@both(f"{JOBS}/statistics")
@operation("countGPJobs", {200: Answer("How many jobs ended how.")}, **HIDDEN)
def statistics(process_id: str, folder: str = "") -> Response:
    """How many jobs a service has had, and how they ended."""
    _check_service(process_id, folder)
    counted = {
        name: listing.part(current_app.jobs, Filters(process_ids=(process_id,), statuses=statuses), 0, 0)[1]
        for name, statuses in COUNTED.items()
    }
    above = (links.to("arcgis_admin.jobs", process_id=process_id), f"Jobs of {process_id}")
    return answers.answer(counted, f"Statistics of {process_id}", above=above)


@both(f"{JOBS}/purgeQueue")
@operation("purgeGPQueue", {200: Answer("All jobs that waited are cancelled.")}, **HIDDEN)
def purge(process_id: str, folder: str = "") -> Response:
    """Cancel all jobs of a service that wait; one that begins meanwhile runs on."""
    _check_service(process_id, folder)
    at = links.to("arcgis_admin.purge", process_id=process_id)
    if request.method != "POST":
        return _form(f"Purge the queue of {process_id}", Form(at, "Purge job queue", danger=True))
    answers.may_change()
    waiting = Filters(process_ids=(process_id,), statuses=(Status.ACCEPTED,))
    infos, _ = listing.part(current_app.jobs, waiting, 0, listing.MOST)
    engine = current_app.engine

    def dismiss(info: StatusInfo) -> str | None:
        with suppress(NoSuchJob, StatusChanged):
            return engine.dismiss(info.job_id, info.etag).job_id
        return None

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        g.job_ids = [job_id for job_id in pool.map(dismiss, infos) if job_id]  # for the audit log
    return _succeeded()


@both(JOB)
@operation("getGPJobRecord", {200: Answer("A job.")}, **HIDDEN)
def job(process_id: str, job_id: str, folder: str = "") -> Response:
    """A job of a service."""
    _check_folder(folder)
    info, at = job_of(process_id, job_id), {"process_id": process_id, "job_id": job_id}
    forms = [Form(links.to("arcgis_admin.delete", **at), "Delete the job", text="With all of its files.", danger=True)]
    if not info.status.final:
        forms.insert(0, Form(links.to("arcgis_admin.cancel", **at), "Cancel the job", danger=True))
    above = (links.to("arcgis_admin.jobs", process_id=process_id), f"Jobs of {process_id}")
    return answers.answer(_document(info), f"Job {esri_id(job_id)}", forms=forms, above=above)


@both(f"{JOB}/cancel")
@operation("cancelGPJobOfAny", {200: Answer("The job is cancelled.")}, **HIDDEN)
def cancel(process_id: str, job_id: str, folder: str = "") -> Response:
    """Cancel a job that waits or runs: nothing of it is left running, and its record is kept."""
    at = links.to("arcgis_admin.cancel", process_id=process_id, job_id=job_id)
    if request.method != "POST":
        return _form(f"Cancel job {esri_id(job_id)}", Form(at, "Cancel the job", danger=True))
    answers.may_change()
    with suppress(NoSuchJob, NotFound):
        _check_folder(folder)
        if not job_of(process_id, job_id).status.final:
            info = current_app.engine.dismiss(job_id)
            if info.status is Status.DISMISSED:
                return _succeeded()
            return _failed("cancel", job_id, 500, going_on=not info.status.final)
    return _failed("cancel", job_id, 500)


@both(f"{JOB}/delete")
@operation("deleteGPJob", {200: Answer("The job is gone.")}, **HIDDEN)
def delete(process_id: str, job_id: str, folder: str = "") -> Response:
    """Remove a job with every trace of it; one that waits or runs is cancelled before."""
    at = links.to("arcgis_admin.delete", process_id=process_id, job_id=job_id)
    if request.method != "POST":
        return _form(f"Delete job {esri_id(job_id)}", Form(at, "Delete the job", danger=True))
    answers.may_change()
    with suppress(NoSuchJob, NotFound):
        _check_folder(folder)
        info = job_of(process_id, job_id)
        if not info.status.final:
            info = current_app.engine.dismiss(job_id)
        if not info.status.final:
            return _failed("delete", job_id, 400, going_on=True)
        current_app.jobs.remove(job_id)
        return _succeeded()
    return _failed("delete", job_id, 400)


def _check_service(process_id: str, folder: str) -> None:
    """Raises NotFound, and NoSuchProcess for one that was never run here either."""
    _check_folder(folder)
    if not current_app.jobs.list(Filters(process_ids=(process_id,)), 1).jobs:
        current_app.processes.get(process_id)


def _check_folder(folder: str) -> None:
    """Raises NotFound for a folder that is not there: the only one is called as the tenant, and can be left out."""
    tenant = request.environ[TENANT]
    if folder not in ("", tenant):
        raise NotFound(f"There is no folder {folder!r:.80}: services are in none, or in {tenant!r}, which is the same.")


def _document(info: StatusInfo) -> dict[str, Any]:
    at = {**of_task(info.process_id), "job_id": info.job_id}
    return {
        "jobId": esri_id(info.job_id),
        "submittedTime": milliseconds(info.created),
        "endTime": milliseconds(info.finished),
        "status": state(info),
        "username": info.owner or None,
        "machinename": _machine(),
        "url": links.to("arcgis.job", **at),
    }


def _number(name: str, default: int, least: int, most: int) -> int:
    text = said(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text[:9]) < least:
        raise InvalidQuery(f"{name}: expected a number, {least} at least, not {text!r:.40}")
    return min(int(text[:9]), most)


def _machine() -> str:
    """What this host is called by who asks."""
    return host_name(request.host)


def _succeeded() -> Response:
    return answers.answer({"status": "success"}, "Done")


def _failed(what: str, job_id: str, code: int, *, going_on: bool = False) -> Response:
    """going_on: it is still being ended."""
    g.status = 503 if going_on else 409  # for the audit log
    messages = [f"Unable to {what} job :[{esri_id(job_id)}]"]
    if going_on:
        messages.append("Its processes are still being ended: try again in a moment.")
    return answers.answer({"status": "error", "messages": messages, "code": code}, "Error")


def _form(title: str, form: Form) -> Response:
    """A page to confirm a change; programs have to post it."""
    if g.f != "html":
        raise MethodNotAllowed(["POST"])
    return answers.answer({}, title, forms=[form])
