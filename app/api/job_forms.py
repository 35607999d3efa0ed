"""What the forms on the pages of jobs do: each change is answered by 303 to the page that shows what came of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.datastructures import MultiDict

from geomill.app import links
from geomill.app.api.execution import repeat, run_again
from geomill.app.engine.client import Engine
from geomill.app.errors import InvalidQuery
from geomill.app.exchange import InvalidRequest
from geomill.app.identity import owners
from geomill.app.identity.callers import Forbidden
from geomill.app.negotiation import HTML
from geomill.app.operations import Answer, operation
from geomill.app.pages import changes, jobs
from geomill.app.pages.changes import Outcome
from geomill.app.schemas import JobsQuery
from geomill.app.schemas.queries import read
from geomill.app.security import refuse_foreign
from geomill.app.server import current_app
from geomill.jobstore import InvalidTransition, JobStore, NoSuchJob, Status, StatusInfo, StoreBusy
from geomill.processes import BadInput

bp = Blueprint("job_forms", __name__)

LEADS_ON = {303: Answer("It is done; the page that it leads to shows it.", media_types=())}
FORM: dict[str, Any] = {"offers": (HTML,), "documented": False}
AT_A_TIME = 8  # jobs dismissed, each of which may take seconds


@bp.get("/jobs/filter")
@operation("chooseJobs", LEADS_ON, offers=(), documented=False)
def choose() -> Response:
    """Go on to the list that a form asks for: its address is the API's own, and can be kept."""
    asked = jobs.query(request.args)
    try:
        read(JobsQuery, MultiDict(asked))
    except InvalidQuery as error:
        return jobs.again(request.args, str(error))
    return _lead_to(links.of_query(links.to("jobs.index"), asked))


@bp.post("/jobs/changes")
@operation("changeJobs", {200: Answer("What was done, and what was not."), **LEADS_ON}, **FORM)
def change() -> Response:
    """Dismiss or remove the jobs that are named; removal asks once more.

    Where all is done the list says so, else a page tells of each what came of it.
    """
    refuse_foreign(current_app.settings)
    what, job_ids = changes.asked(request.form)
    kept = jobs.kept(request.form)
    if what == changes.NOTHING:
        return _lead_to(changes.to_list(kept))
    if what == changes.REMOVE and job_ids and "sure" not in request.form:
        return changes.ask(job_ids, kept)
    passed = {job_id: _refusal(job_id) for job_id in job_ids}
    allowed = [job_id for job_id, refused in passed.items() if refused is None]
    came = dict(zip(allowed, _changed(what, allowed), strict=True))
    outcomes = [passed[job_id] or came[job_id] for job_id in job_ids]
    g.job_ids = [outcome.job_id for outcome in outcomes if outcome.done]  # for the audit log
    if outcomes and all(outcome.done and not outcome.pending for outcome in outcomes):
        return _lead_to(changes.back(what, job_ids, kept))
    return changes.tell(what, outcomes, kept)


@bp.post("/jobs/<job_id>/dismissal")
@operation("dismissJob", LEADS_ON, **FORM)
def dismiss(job_id: str) -> Response:
    """Dismiss a job, and never remove one: who meant to dismiss it keeps the results of one that was faster."""
    refuse_foreign(current_app.settings)
    if current_app.jobs.status(job_id).status.final:
        return _lead_to_job(job_id, said="late")
    status = current_app.engine.dismiss(job_id).status
    said = {Status.DISMISSED: "dismissed", Status.RUNNING: "dismissing"}
    return _lead_to_job(job_id, said=said.get(status, "late"))


@bp.post("/jobs/<job_id>/removal")
@operation("removeJob", LEADS_ON, **FORM)
def remove(job_id: str) -> Response:
    """Remove a job that has ended, with all of its files."""
    refuse_foreign(current_app.settings)
    try:
        current_app.jobs.remove(job_id)
    except InvalidTransition:
        return _lead_to_job(job_id, said="unfinished")
    return _lead_to(links.to("jobs.index", removed=job_id))


@bp.post("/jobs/<job_id>/pinning")
@operation("pinJob", LEADS_ON, **FORM)
def pin(job_id: str) -> Response:
    """Keep a job from expiring, or let it."""
    refuse_foreign(current_app.settings)
    pinned = current_app.jobs.pin(job_id, request.form.get("keep") == "yes").pinned
    return _lead_to_job(job_id, said="kept" if pinned else "released")


@bp.post("/jobs/<job_id>/again")
@operation("runAgain", LEADS_ON, **FORM)
def again(job_id: str) -> Response:
    """Ask for the same once more; where that is not possible any more, the form with it says why."""
    refuse_foreign(current_app.settings)
    try:
        return _lead_to_new(run_again(job_id))
    except (InvalidRequest, BadInput):  # an upload is gone, or the process is another one now
        process_id = current_app.jobs.job(job_id).process_id
        return _lead_to(links.of_query(links.to("processes.show", process_id=process_id), {"from": [job_id]}))


@bp.post("/jobs/<job_id>/retrial")
@operation("retryJob", LEADS_ON, **FORM)
def retry(job_id: str) -> Response:
    """Go on where a job failed, by a new one that takes over the steps which the old one had finished."""
    refuse_foreign(current_app.settings)
    return _lead_to_new(repeat(job_id))


def _lead_to(address: str) -> Response:
    return Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})


def _lead_to_job(job_id: str, said: str | None = None) -> Response:
    """said: a key of pages.job.SAID."""
    return _lead_to(links.to("jobs.show", job_id=job_id, **({"said": said} if said else {})))


def _lead_to_new(status: StatusInfo) -> Response:
    """To a job that begins with this."""
    current_app.engine.start(status.job_id)
    return _lead_to_job(status.job_id)


def _refusal(job_id: str) -> Outcome | None:
    """Why the caller may not change a job, if so."""
    try:
        owners.check(current_app, job_id, own=g.right.own)
        current_app.jobs.read_status(job_id)
    except (NoSuchJob, Forbidden) as error:
        return Outcome(job_id, done=False, text=str(error))
    return None


def _changed(what: str, job_ids: list[str]) -> list[Outcome]:
    """What came of each; many are dismissed at a time, for each is waited for until nothing of it is left."""
    if what == changes.REMOVE:
        return [_tried(_removed, current_app.jobs, job_id) for job_id in job_ids]
    engine = current_app.engine
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda job_id: _tried(_dismissed, engine, job_id), job_ids))


def _tried(change: Callable[[Any, str], Outcome], by: Engine | JobStore, job_id: str) -> Outcome:
    try:
        return change(by, job_id)
    except (NoSuchJob, StoreBusy, OSError) as error:
        return Outcome(job_id, done=False, text=str(error) or "It is busy: try again.")


def _removed(store: JobStore, job_id: str) -> Outcome:
    try:
        store.remove(job_id)
    except InvalidTransition as error:
        return Outcome(job_id, done=False, text=f"It is {error.current.status.value}: dismiss it first.")
    return Outcome(job_id, done=True, text="Removed, with all of its files.", gone=True)


def _dismissed(engine: Engine, job_id: str) -> Outcome:
    before = engine.store.status(job_id)
    info = before if before.status.final else engine.dismiss(job_id)
    if before.status.final or info.status in (Status.SUCCESSFUL, Status.FAILED):
        return Outcome(job_id, done=False, text=f"It had ended before, {info.status.value}, and stays as it is.")
    if not info.status.final:
        return Outcome(job_id, done=True, text="It is being dismissed.", pending=True)
    return Outcome(job_id, done=True, text="Dismissed.")
