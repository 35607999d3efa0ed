"""The steps of a job: /jobs/{jobID}/events, and the log of each."""

from __future__ import annotations

import os
from typing import Any

from flask import Blueprint, Response, request

from geomill.app import links, pages
from geomill.app.api.logs import pieces
from geomill.app.engine.steps import NoSuchLog, logs
from geomill.app.negotiation import TEXT
from geomill.app.operations import Answer, operation
from geomill.app.schemas import EventsSchema, dump
from geomill.app.security import SANDBOX
from geomill.app.server import current_app
from geomill.app.steps import steps_of
from geomill.jobstore.folders import LOGS

bp = Blueprint("steps", __name__)

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # it lies where the job can put anything
PARTS = {206: Answer("A part of the log.", media_types=(TEXT,), headers=("Content-Range",))}


@bp.get("/jobs/<job_id>/events")
@operation(
    "getEvents",
    {200: Answer("The steps of a job, and their events.", EventsSchema)},
    problems=(404, 410, 503),
    page=pages.plain("Steps of job {job_id}"),
)
def show(job_id: str) -> Any:
    """The steps of a job and what happened to them; none for a process that is a function."""
    happened, steps = steps_of(current_app.jobs, job_id)
    job = links.link(links.to("jobs.show", job_id=job_id), "up", "The status of the job")
    return dump(EventsSchema, {"id": job_id, "steps": steps, "events": happened, "links": [job]})


@bp.get("/jobs/<job_id>/logs/<name>")
@operation(
    "getStepLog",
    {200: Answer("What the step printed until now."), **PARTS},
    problems=(404, 410, 416, 503),
    headers=("Range",),
    offers=(TEXT,),
    streams=True,
)
def log(job_id: str, name: str) -> Any:
    """What one step printed until now, or all of it."""
    current_app.jobs.check_kept(job_id)
    folder = current_app.jobs.folder(job_id)
    if name not in logs(folder):
        raise NoSuchLog(f"Job {job_id} has no log {name!r}; its status links those that there are.")
    path = folder / LOGS / name
    size = path.lstat().st_size  # as of now, whatever it grows to meanwhile
    content = pieces(lambda: open(os.open(path, _READ), "rb"), 0, size)
    response = Response(content, headers=SANDBOX, content_type=f"{TEXT}; charset=utf-8")
    response.content_length = size
    return response.make_conditional(request, accept_ranges=True, complete_length=size)


def step_links(job_id: str) -> list[links.Link]:
    """Links to the steps of a job that has any, and to the log of each, as clients of other servers expect it."""
    found = [
        links.link(links.to("steps.log", job_id=job_id, name=name), "related", f"Tool log {name}", TEXT)
        for name in logs(current_app.jobs.folder(job_id))
    ]
    steps = links.link(links.to("steps.show", job_id=job_id), "events", "The steps of the job")
    return [steps, *found] if found else []
