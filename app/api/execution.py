"""Execution: /processes/{processID}/execution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, g, request

from geomill.app import links
from geomill.app.api.body import whole_body
from geomill.app.api.jobs import status_answer
from geomill.app.api.results import WHOLE, delivered
from geomill.app.errors import JobNotFinished, NotExecutable, ServerBusy
from geomill.app.exchange import inputs, prefer
from geomill.app.exchange.request import ExecuteRequest
from geomill.app.operations import Answer, operation
from geomill.app.runners import RUNNERS
from geomill.app.schemas import ExecuteSchema, StatusInfoSchema
from geomill.app.security import is_ours
from geomill.app.server import current_app
from geomill.app.uploads import naming
from geomill.jobstore import Job, Limits, StatusInfo
from geomill.jobstore.records import new_job_id, now
from geomill.processes.registry import Process

bp = Blueprint("execution", __name__)

ACCEPTED = Answer("The job is accepted.", StatusInfoSchema, ("application/json",), ("Location", "Preference-Applied"))


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
    process = current_app.processes.get(process_id)
    if process.runner not in RUNNERS:
        raise NotExecutable(f"Process {process.id} is a bare {process.runner} image; this server runs CWL and Python.")
    body, preference = whole_body(), prefer.parse(request.headers.get("Prefer"))
    asked = inputs.read(body)
    given = _uploads(asked)
    inputs.check(asked, process.description, partial(_check_href, given))
    with _seat(prefer.mode(preference, _modes(process)) == "sync") as seated:
        if not seated and "async-execute" not in _modes(process):
            raise ServerBusy(f"Process {process.id} can only be waited for, and too many requests wait already.")
        status = current_app.jobs.create(_job(process, body, asked.limits), body, durable=not seated, given=given)
        g.job_id = status.job_id  # for an error from here on
        if seated:
            status = current_app.engine.run(status.job_id, _patience(preference))
    return delivered(status.job_id, sync=True) if seated and status.status.final else _accepted(status)


@bp.post("/jobs/<job_id>/retry")
@operation("retry", {201: ACCEPTED}, problems=(404, 409, 410, 429, 503, 507))
def retry(job_id: str) -> Any:
    """Repeat a job that has ended, by a new one that takes over the steps which the old one had finished."""
    old = current_app.jobs.status(job_id)
    if not old.status.final:
        raise JobNotFinished(f"Job {job_id} is {old.status.value}; dismiss it first, or wait for its end.")
    asked = current_app.jobs.job(job_id)
    again = replace(asked, job_id=new_job_id(), owner=g.caller.name, created=now(), key=None, retry_of=job_id)
    body = current_app.jobs.request(job_id)
    status = current_app.jobs.create(again, body, given=_uploads(inputs.read(body)))
    g.job_id = status.job_id
    return _accepted(status)


def _accepted(status: StatusInfo) -> Response:
    """201, and the job goes on by itself. /req/core/process-execute-success-async"""
    if status.durable:
        current_app.engine.start(status.job_id)
    else:
        status = current_app.jobs.make_durable(status.job_id)
    answer = status_answer(status, 201)
    answer.headers["Location"] = links.to("jobs.show", job_id=status.job_id)
    if applied := prefer.applied(request.headers.get("Prefer"), "respond-async", "wait", "return"):
        answer.headers["Preference-Applied"] = applied
    return answer


def _uploads(asked: ExecuteRequest) -> Mapping[str, Path]:
    """The uploads of the caller that a request names, for its job to hold. Raises BadInput."""
    uploads = current_app.uploads
    wanted = naming.wanted(asked.inputs, uploads, g.caller.owns, partial(is_ours, current_app.settings))
    return naming.given(uploads, wanted)


def _check_href(given: Mapping[str, Path], href: str) -> None:
    """Refuse what would not be fetched. given: what the job has anyhow. Raises Refused."""
    if naming.upload_id(href) not in given:
        current_app.guard.check(href)


@contextmanager
def _seat(wanted: bool) -> Iterator[bool]:
    """A place among those that may wait for a job, if one is wanted and free: the other threads stay for others."""
    seated = wanted and current_app.waiting.acquire(blocking=False)
    try:
        yield seated
    finally:
        if seated:
            current_app.waiting.release()


def _patience(preference: prefer.Preference) -> float:
    """How long to wait for a job, in seconds: what the client is willing to, within what the server is."""
    most = current_app.settings.sync_wait
    return most if preference.wait is None else min(preference.wait, most)


def _modes(process: Process) -> list[str]:
    modes: list[str] = process.description["jobControlOptions"]
    return modes


def _job(process: Process, body: bytes, limits: Mapping[str, float]) -> Job:
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
        limits=Limits(**asdict(process.limits.lowered(limits))),
        key=request.headers.get("Idempotency-Key") or None,
        request_digest=sha256(body).hexdigest(),
        prefer=request.headers.get("Prefer"),
    )
