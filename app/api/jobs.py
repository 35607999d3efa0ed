"""Jobs: /jobs and /jobs/{jobID}."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import PreconditionFailed

from geomill.app import links, live
from geomill.app.api.steps import step_links
from geomill.app.identity import owners
from geomill.app.job_texts import text
from geomill.app.negotiation import HTML, JSON
from geomill.app.operations import Answer, operation
from geomill.app.pages import job as job_page
from geomill.app.pages import jobs as jobs_page
from geomill.app.schemas import JobListSchema, JobsQuery, StatusInfoSchema, dump
from geomill.app.schemas.queries import read
from geomill.app.server import current_app
from geomill.jobstore import Filters, Page, Status, StatusInfo

bp = Blueprint("jobs", __name__)

STATUS = Answer("The status of a job.", StatusInfoSchema, headers=("ETag",))


@bp.get("/jobs")
@operation(
    "getJobs",
    {200: Answer("The jobs, newest first.", JobListSchema)},
    problems=(503,),
    query=JobsQuery,
    offers=(JSON, HTML),
)
def index() -> Any:
    """The jobs, newest first. /req/job-list/job-list-op"""
    asked = read(JobsQuery)
    if g.media_type == HTML and "limit" not in request.args:
        asked["limit"] = jobs_page.ROWS
    page = Page([], None)
    if _may_see(asked["owner"]):
        page = current_app.jobs.list(_filters(asked), asked["limit"], asked["cursor"])
    if g.media_type == HTML:
        return jobs_page.page(page, asked)
    following = {"cursor": page.next} if page.next else None
    listed, of_page = current_app.job_texts.listed(page.jobs), text(links.of_page("jobs.index", following))
    return Response(f'{{"jobs":[{listed}],"links":{of_page}}}\n', content_type=JSON)  # jobList.yaml


@bp.get("/jobs/<job_id>")
@operation("getStatus", {200: STATUS}, problems=(404, 503), offers=(JSON, HTML))
def show(job_id: str) -> Any:
    """Status of one job. /req/core/job-op"""
    if g.media_type == HTML:
        return job_page.page(job_id)
    status = current_app.jobs.seen(job_id)
    if status.status is not Status.ACCEPTED:
        return status_answer(status)
    response = status_answer(live.waiting(status, current_app.engine.place(job_id)))
    response.set_etag(status.etag)
    return response


@bp.delete("/jobs/<job_id>")
@operation(
    "dismiss",
    {
        200: Answer("The job is dismissed.", StatusInfoSchema),
        202: Answer("The job is being dismissed.", StatusInfoSchema),
    },
    problems=(404, 412, 503),
    headers=("If-Match",),
)
def dismiss(job_id: str) -> Any:
    """Dismiss a job that has not finished, remove one that has. /req/dismiss/job-dismiss-op"""
    status = current_app.jobs.status(job_id)
    match = _expected(status)
    if not status.status.final:
        status = current_app.engine.dismiss(job_id, match)
        if status.status not in (Status.SUCCESSFUL, Status.FAILED):  # did not finish meanwhile
            return status_answer(status, 200 if status.status.final else 202)
    removed = replace(current_app.jobs.remove(job_id, match), status=Status.DISMISSED)
    return {**dump(StatusInfoSchema, removed), "links": [links.up_to_jobs()]}


@bp.put("/jobs/<job_id>/pin")
@operation("pin", {200: STATUS}, problems=(404, 410, 503))
def pin(job_id: str) -> Any:
    """Keep a job: it does not expire."""
    return status_answer(current_app.jobs.pin(job_id, True))


@bp.delete("/jobs/<job_id>/pin")
@operation("unpin", {200: STATUS}, problems=(404, 410, 503))
def unpin(job_id: str) -> Any:
    """Let a job expire when it is time."""
    return status_answer(current_app.jobs.pin(job_id, False))


def status_answer(status: StatusInfo, code: int = 200) -> Response:
    """A status document, with the ETag that If-Match takes."""
    may_have_steps = status.status is not Status.ACCEPTED and not status.expired
    body, etag = current_app.job_texts.one(status, step_links(status.job_id) if may_have_steps else ())
    return Response(f"{body}\n", code, headers={"ETag": f'"{etag}"'}, content_type=JSON)


def _may_see(owner: str | None) -> bool:
    """Whether the caller is given a list of this owner's jobs, of all that he sees where there is none."""
    if owners.sees_all(current_app):
        return True
    return bool(g.caller.name) and owner in (None, g.caller.name)  # nobody's are among those of everybody like him


def _filters(asked: dict[str, Any]) -> Filters:
    since, until = asked["datetime"]
    return Filters(
        types=tuple(asked["type"]),
        process_ids=tuple(asked["process_id"]),
        statuses=tuple(asked["status"]),
        since=since,
        until=until,
        min_duration=asked["min_duration"],
        max_duration=asked["max_duration"],
        owner=asked["owner"] if owners.sees_all(current_app) else g.caller.name,
    )


def _expected(status: StatusInfo) -> str | None:
    """The ETag that the job has to keep, if the client names one. Raises PreconditionFailed."""
    if "If-Match" not in request.headers:
        return None
    if not request.if_match.contains(status.etag):
        raise PreconditionFailed(f"Job {status.job_id} is {status.status.value} now.")
    return None if request.if_match.star_tag else status.etag
