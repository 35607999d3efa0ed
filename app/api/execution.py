"""Execution: /processes/{processID}/execution."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, g, request

from geomill.app import links, loglines
from geomill.app.api.body import whole_body
from geomill.app.api.jobs import status_answer
from geomill.app.api.results import WHOLE, delivered
from geomill.app.errors import JobNotFinished, NotExecutable, ServerBusy
from geomill.app.exchange import InvalidRequest, inputs, prefer
from geomill.app.exchange.request import ExecuteRequest
from geomill.app.guard import Refused
from geomill.app.operations import Answer, operation
from geomill.app.pages import posted
from geomill.app.pages import process as page
from geomill.app.pages.form.entries import Entries
from geomill.app.runners import RUNNERS
from geomill.app.schemas import ExecuteSchema, ProcessSchema, StatusInfoSchema, dump
from geomill.app.security import refuse_foreign
from geomill.app.server import current_app
from geomill.app.uploads.asked import href_check, uploads_of
from geomill.jobstore import Job, Limits, StatusInfo
from geomill.jobstore.records import new_job_id, now
from geomill.processes.registry import Process

bp = Blueprint("execution", __name__)

ACCEPTED = Answer("The job is accepted.", StatusInfoSchema, ("application/json",), ("Location", "Preference-Applied"))


@dataclass(frozen=True)
class Begun:
    """A job that a request has brought about, now or with the same key before.

    asked: what of the results is wanted, and how; waited: for the end of the job.
    """

    status: StatusInfo
    job: Job
    asked: ExecuteRequest
    waited: bool


@bp.post("/processes/<process_id>/execution")
@operation(
    "execute",
    {**WHOLE, 201: ACCEPTED},
    problems=(404, 413, 415, 422, 429, 503, 504, 507),
    headers=("Prefer", "Idempotency-Key"),
    body=ExecuteSchema,
    offers=(),
)
def execute(process_id: str) -> Any:
    """Execute a process. /req/core/process-execute-op"""
    process = executable(process_id)
    body, header = whole_body(), request.headers.get("Prefer")
    if (filled := posted.entries(body)) is not None:
        return _executed_form(process, filled)
    begun = begin(process, body, header)
    if not begun.waited:
        return _accepted(begun.status)
    return delivered(begun.status, (begun.job, begun.asked), sync=True)


def begin(process: Process, body: bytes, header: str | None) -> Begun:
    """A job by an execute request. header: Prefer. Raises what is wrong with it."""
    asked, given = _checked(process, body)
    return _begun(process, body, asked, header, given)


def _checked(process: Process, body: bytes) -> tuple[ExecuteRequest, Mapping[str, Path]]:
    """An execute request without its inputs, and the uploads that they name. Raises what is wrong with it."""
    asked = inputs.read(body)
    given = uploads_of(asked)
    inputs.check(asked, process.description, href_check(given))
    return replace(asked, inputs={}), given  # they may be six times the body, and who asks may wait for minutes


def _executed_form(process: Process, filled: Entries) -> Response:
    """A form of ours, executed as the request that it shows: on to the job, or back with what is wrong."""
    refuse_foreign(current_app.settings)
    checked, document = page.checked(process.description, filled), dump(ProcessSchema, process)
    if checked.errors or checked.asked is None:
        return page.again(document, filled, checked.errors)
    g.form_again = partial(page.refused, document, filled)  # for an error from here on
    begun = _begun(process, checked.body, checked.asked, checked.reading.prefer, checked.given)
    headers = {"Location": links.to("jobs.show", job_id=begun.status.job_id), "Cache-Control": "no-store"}
    return Response(status=303, headers=headers)


def _begun(
    process: Process, body: bytes, asked: ExecuteRequest, header: str | None, given: Mapping[str, Path]
) -> Begun:
    """A new job, or that of an earlier request with the same key. header: Prefer; given: uploads that it names."""
    preference = prefer.parse(header)
    with seat(prefer.mode(preference, _modes(process)) == "sync") as seated:
        if not seated and "async-execute" not in _modes(process):
            raise ServerBusy(f"Process {process.id} can only be waited for, and too many requests wait already.")
        job = _job(process, body, asked.limits, header)
        status = _created(job, body, asked, given, durable=not seated)
        if seated:
            status = current_app.engine.run(status.job_id, _patience(preference))
    waited = seated and status.status.final
    if status.job_id != job.job_id:
        job = current_app.jobs.job(status.job_id)
    return Begun(status if waited else _going_on(status), job, asked, waited)


@bp.post("/jobs/<job_id>/retry")
@operation("retry", {201: ACCEPTED}, problems=(404, 409, 410, 429, 503, 507))
def retry(job_id: str) -> Any:
    """Repeat a job that has ended, by a new one that takes over the steps which the old one had finished."""
    return _accepted(_going_on(repeat(job_id)))


def repeat(job_id: str) -> StatusInfo:
    """A new job, yet to be started, that retries one which has ended. Raises JobNotFinished."""
    old = current_app.jobs.status(job_id)
    if not old.status.final:
        raise JobNotFinished(f"Job {job_id} is {old.status.value}; dismiss it first, or wait for its end.")
    job, body = current_app.jobs.job(job_id), current_app.jobs.request(job_id)
    again = replace(job, job_id=new_job_id(), owner=g.caller.name, created=now(), key=None, retry_of=job_id)
    asked = inputs.read(body)
    return _created(again, body, asked, uploads_of(asked))


def run_again(job_id: str) -> StatusInfo:
    """A new job, yet to be started, with the request of another, of the process as it is now."""
    old, body = current_app.jobs.job(job_id), current_app.jobs.request(job_id)
    process = executable(old.process_id)
    asked, given = _checked(process, body)
    return _created(replace(_job(process, body, asked.limits, old.prefer), key=None), body, asked, given)


def _created(
    job: Job, body: bytes, asked: ExecuteRequest, given: Mapping[str, Path], *, durable: bool = True
) -> StatusInfo:
    """A new job, whose subscriber will be told. Raises InvalidRequest for one that cannot be."""
    for name, uri in asked.subscriber.items():
        try:
            current_app.guard.check(uri)
        except Refused as error:
            raise InvalidRequest(f'"subscriber.{name}": {error}') from None
    root = links.to("landing.show") if asked.subscriber else None
    status = current_app.jobs.create(job, body, durable=durable, given=given, callback_root=root)
    g.job_id = status.job_id  # for an error from here on
    loglines.about(job=status.job_id)
    return status


def _going_on(status: StatusInfo) -> StatusInfo:
    """A job that nobody waits for any more, or has not yet."""
    if not status.durable:
        return current_app.jobs.make_durable(status.job_id)
    current_app.engine.start(status.job_id)
    return status


def _accepted(status: StatusInfo) -> Response:
    """201, and the job goes on by itself. /req/core/process-execute-success-async"""
    answer = status_answer(status, 201)
    answer.headers["Location"] = links.to("jobs.show", job_id=status.job_id)
    if applied := prefer.applied(request.headers.get("Prefer"), "respond-async", "wait", "return"):
        answer.headers["Preference-Applied"] = applied
    return answer


def executable(process_id: str) -> Process:
    """A process that this server can run. Raises NoSuchProcess, NotExecutable."""
    process = current_app.processes.get(process_id)
    if process.runner not in RUNNERS:
        raise NotExecutable(f"Process {process.id} is a bare {process.runner} image; this server runs CWL and Python.")
    return process


def seat(wanted: bool) -> AbstractContextManager[bool]:
    """A place among those that may wait for a job, if one is wanted and free."""
    whose = current_app.jobs.tenant, g.caller.name
    return current_app.seats.one(whose) if wanted else nullcontext(False)


def _patience(preference: prefer.Preference) -> float:
    """How long to wait for a job, in seconds: what the client is willing to, within what the server is."""
    most = current_app.settings.sync_wait
    return most if preference.wait is None else min(preference.wait, most)


def _modes(process: Process) -> list[str]:
    modes: list[str] = process.description["jobControlOptions"]
    return modes


def _job(process: Process, body: bytes, limits: Mapping[str, float], header: str | None) -> Job:
    return Job(
        job_id=new_job_id(),
        process_id=process.id,
        version=process.version,
        owner=g.caller.name,
        created=now(),
        package=process.package,
        described=process.described,
        path=str(process.path),
        entry=process.function,
        runner=process.runner,
        template=process.template or "base",
        interpreter=process.interpreter,
        limits=Limits(**vars(process.limits.lowered(limits))),
        key=request.headers.get("Idempotency-Key") or None,
        request_digest=sha256(body).hexdigest(),
        prefer=header,
    )
