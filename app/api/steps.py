"""The steps of a job: /jobs/{jobID}/events, and the log of each."""

from __future__ import annotations

import os
import time
from typing import Any

from flask import Blueprint, Response, g, request

from geomill.app import links, live, pages
from geomill.app.api.logs import pieces
from geomill.app.api.sending import as_it_comes, read_range
from geomill.app.engine.steps import NoSuchLog, log_names, logs
from geomill.app.live import Told
from geomill.app.negotiation import HTML, JSON, STREAM, TEXT
from geomill.app.operations import Answer, operation
from geomill.app.pages import logs as log_pages
from geomill.app.schemas import EventsQuery, EventsSchema, dump
from geomill.app.schemas.queries import read as read_query
from geomill.app.security import SANDBOX
from geomill.app.server import current_app
from geomill.app.steps import seen_of, steps_of
from geomill.jobstore import folders
from geomill.jobstore.folders import LOGS

bp = Blueprint("steps", __name__)

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # it lies where the job can put anything
PARTS = {206: Answer("A part of the log.", media_types=(TEXT,), headers=("Content-Range",))}
TOLD = {204: Answer("The job has ended, and all was told; of a stream.", media_types=())}


@bp.get("/jobs/<job_id>/events")
@operation(
    "getEvents",
    {200: Answer("The steps of a job, and their events; as a stream, what is new of it.", EventsSchema), **TOLD},
    problems=(404, 410, 503),
    query=EventsQuery,
    headers=("Last-Event-ID",),
    offers=(JSON, STREAM),
    page=pages.plain("Steps of job {job_id}"),
)
def show(job_id: str) -> Any:
    """The steps of a job and what happened to them; none for a process that is a function."""
    if g.media_type == STREAM:
        return _new(job_id)
    happened, steps = steps_of(current_app.jobs, job_id)
    job = links.link(links.to("jobs.show", job_id=job_id), "up", "The status of the job")
    return dump(EventsSchema, {"id": job_id, "steps": steps, "events": happened, "links": [job]})


@bp.get("/jobs/<job_id>/logs/<name>")
@operation(
    "getStepLog",
    {200: Answer("What the step printed until now.", media_types=(TEXT, HTML)), **PARTS},
    problems=(404, 410, 416, 503),
    headers=("Range",),
    offers=(TEXT,),
    streams=True,
)
def log(job_id: str, name: str) -> Any:
    """What one step printed until now, or all of it."""
    current_app.jobs.check_kept(job_id)
    folder = current_app.jobs.folder(job_id)
    if name not in log_names(folder):
        raise NoSuchLog(f"Job {job_id} has no log {name!r}; its status links those that there are.")
    path = folder / LOGS / name
    size = path.lstat().st_size  # as of now, whatever it grows to meanwhile
    if size == 0 and log_pages.wanted():
        return log_pages.empty(current_app.jobs.status(job_id), name.removesuffix(".log"))
    content = as_it_comes(pieces(lambda: open(os.open(path, _READ), "rb"), 0, size), f"log {name} of job {job_id}")
    response = Response(content, headers=SANDBOX, content_type=f"{TEXT}; charset=utf-8")
    response.content_length = size
    response.vary.add("Accept")
    read_range(size)
    return response.make_conditional(request, accept_ranges=True, complete_length=size)


def _new(job_id: str) -> Response:
    """What is new since the client was told, and no more: it ends at once."""
    told = Told.read(request.headers.get("Last-Event-ID") or read_query(EventsQuery)["since"])
    seen = seen_of(current_app.jobs, current_app.engine, job_id, told)
    found = list(live.news(seen, told))
    if not found and seen.info.status.final:
        return Response(status=204)
    address, names = links.of_logs(job_id), {log.name for log in seen.logs}
    for kind, content in found:
        if kind == "step" and (name := f"{content['id']}.log") in names:
            content["log"] = address(name)
        elif kind == "log" and (name := content["name"]) == "log":
            content["href"] = links.to("logs.show", job_id=job_id)
        elif kind == "log":
            content["href"] = address(name)
    answer = live.stream(found, seen, time.time())
    return Response(answer, content_type=STREAM, headers={"Cache-Control": "no-store"})


def step_links(job_id: str) -> list[links.Link]:
    """Links to the steps of a job that has any, and to the log of each, as clients of other servers expect it."""
    names = logs(folders.path_of(current_app.jobs.jobs, job_id))
    if not names:
        return []
    address = links.of_logs(job_id)
    found = [links.link(address(name), "related", f"Tool log {name}", TEXT) for name in names]
    return [links.link(links.to("steps.show", job_id=job_id), "events", "The steps of the job"), *found]
