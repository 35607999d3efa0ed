"""The page of one job: how it stands, what it does or did, what came of it, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from flask import Response, request

from geomill.app import links, live
from geomill.app.engine.steps import events, log_names
from geomill.app.exchange import strictjson
from geomill.app.identity import owners
from geomill.app.live import Told
from geomill.app.pages import causes, estimate, render, results, runs, timeline
from geomill.app.pages.form.snippets import Snippets
from geomill.app.pages.logs import LAST, End, end_of, raised
from geomill.app.schemas import StatusInfoSchema, dump
from geomill.app.server import current_app
from geomill.app.steps import seen_of
from geomill.jobstore import Job, JobCorrupt, JobExpired, Status, StatusInfo
from geomill.jobstore.folders import LOGS
from geomill.jobstore.records import now

SAID: dict[str, tuple[str, Callable[[StatusInfo], bool]]] = {  # by a form that led here, for as long as it is so
    "dismissed": ("The job is dismissed.", lambda info: info.status is Status.DISMISSED),
    "dismissing": ("The job is being dismissed.", lambda info: not info.status.final),
    "late": (
        "The job had ended before it could be dismissed: it stays as it is, with what came of it.",
        lambda info: info.status.final,
    ),
    "unfinished": (
        "The job has not ended: dismiss it first, then it can be removed.",
        lambda info: not info.status.final,
    ),
    "kept": ("The job is kept until somebody removes it.", lambda info: info.pinned),
    "released": ("The job expires when it is time.", lambda info: not info.pinned),
}
LARGEST_REQUEST = 64 * 1024  # bytes that are shown
OWN_LOG = "log"
Part = TypeVar("Part")


@dataclass(frozen=True)
class Log:
    """A log that is shown. name: OWN_LOG, or a step's; href: of all of it."""

    name: str
    href: str
    end: End


@dataclass(frozen=True)
class Failure:
    """Why a job failed. step: the one that did, if there are steps; told: the exception that its log ends with.

    why: what its message says, but for which step it was and how that ended.
    """

    cause: causes.Cause
    step: dict[str, Any] | None
    told: str | None
    why: str
    earlier: list[str]
    last: list[str]
    log: Log | None


def _told(said: str, info: StatusInfo) -> str | None:
    """What a form has done; a link may claim anything."""
    text, is_so = SAID.get(said, ("", lambda _: False))
    return text if is_so(info) else None


def page(job_id: str) -> Response:
    """The job as it is. Raises NoSuchJob."""
    store, moment = current_app.jobs, now()
    info, mark, happened, names = _read(job_id)
    steps = list(live.steps(happened, info.status).values())
    failure = _failure(info, steps, names) if info.status is Status.FAILED else None
    skipped = {event["step"] for event in happened if event.get("outcome") == "skipped"}
    job, said = _if_there(lambda: store.job(job_id)), request.args.get("said", "")
    remaining = _remaining(info, moment)
    return render(
        "job.html",
        job=dump(StatusInfoSchema, info),
        info=info,
        mark=mark,
        renewal=_renewal(info, moment, bool(steps or remaining)),
        remaining=remaining,
        seconds=((info.finished or moment) - info.started).total_seconds() if info.started else None,
        said=_told(said, info),
        turned=said in ("kept", "released"),
        expired=JobExpired(info).why if info.expired else None,
        asked=job,
        process=links.to("processes.show", process_id=info.process_id),
        axis=timeline.of(steps, info.started, info.finished or moment, names, skipped) if steps else None,
        log=None if info.expired else _log(info, _chosen(names, steps)),
        failure=failure,
        snippets=_snippets(info, job),
        can=_can(info, job, bool(steps)),
        state=info.status.value,
        **_results(info),
    )


def _read(job_id: str) -> tuple[StatusInfo, str | None, list[dict[str, Any]], set[str]]:
    """(the status, what is shown to those who tell what is new, what happened to the steps, names of their logs)."""
    store = current_app.jobs
    info, folder = store.status(job_id), store.folder(job_id)
    if info.expired:
        return info, None, [], set()
    if info.status.final:
        return info, None, events(folder), log_names(folder)
    seen = seen_of(store, current_app.engine, job_id, Told())
    names = {log.name for log in seen.logs} - {OWN_LOG}
    return live.waiting(seen.info, seen.place), str(seen.told), list(seen.happened), names


def _if_there(part: Callable[[], Part]) -> Part | None:
    """A part of the page; None where it is gone or broken, which the rest of the page can do without."""
    try:
        return part()
    except (JobCorrupt, JobExpired, OSError, ValueError):
        return None


def _can(info: StatusInfo, job: Job | None, has_steps: bool) -> set[str]:
    """What the caller may do with the job now."""
    final, kept = info.status.final, not info.expired
    stopped = info.status in (Status.FAILED, Status.DISMISSED)
    possible = {
        "dismissJob": not final,
        "removeJob": final,
        "pinJob": final and kept,
        "runAgain": kept and job is not None,
        "retryJob": kept and stopped and has_steps and job is not None and job.runner == "cwl",
        "getJobInputs": kept and job is not None,
        "getCallbacks": kept and current_app.jobs.calls_back(info.job_id),
    }
    return {name for name, is_possible in possible.items() if is_possible and owners.may(name, info.owner)}


def _chosen(names: Collection[str], steps: list[dict[str, Any]]) -> str:
    """The log to show: the one asked for; else of the first step that failed, or the last that runs; else the job's."""
    asked = request.args.get("log", "")
    if asked == OWN_LOG or asked in names:
        return asked
    running = [step for step in reversed(steps) if step["status"] == "running"]
    telling = [step for step in (first_failed(steps), *running) if step]
    known = [f"{step['id']}.log" for step in telling if f"{step['id']}.log" in names]
    return known[0] if known else OWN_LOG


def _log(info: StatusInfo, name: str) -> Log:
    """A log. name: of a step's that is there, or OWN_LOG."""
    folder = current_app.jobs.folder(info.job_id)
    if name == OWN_LOG:
        return Log(name, links.to("logs.show", job_id=info.job_id), end_of(folder / OWN_LOG))
    return Log(name, links.to("steps.log", job_id=info.job_id, name=name), end_of(folder / LOGS / name))


def first_failed(steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The step that failed before any other did: what a job failed of."""
    failed = [step for step in steps if step["status"] == "failed"]
    return min(failed, key=lambda step: str(step.get("finished") or "~"), default=None)


def _failure(info: StatusInfo, steps: list[dict[str, Any]], names: Collection[str]) -> Failure:
    step = first_failed(steps)
    name = f"{step['id']}.log" if step else OWN_LOG
    log = None if info.expired else _log(info, name if name in names else OWN_LOG)
    lines, why = log.end.lines if log else [], info.message or ""
    if step and why.startswith(f"step {step['id']} "):  # as app.cwl.steps puts it
        why = why.partition(".log): ")[2] or why
    return Failure(causes.of(info.cause), step, raised(lines), why, lines[:-LAST], lines[-LAST:], log)


def _results(info: StatusInfo) -> dict[str, Any]:
    """What results_of_job.html shows, of a job that has some to show."""
    if info.status is not Status.SUCCESSFUL or info.expired:
        return {"files": 0}
    return _if_there(lambda: results.of_job(info.job_id)) or {"files": 0}


def _snippets(info: StatusInfo, job: Job | None) -> Snippets | None:
    """What was asked for; None for who may not see it, and where it is long or gone."""
    if job is None or info.expired or not owners.may("getJobInputs", info.owner):
        return None
    content = _if_there(lambda: current_app.jobs.request(info.job_id))
    if content is None or len(content) > LARGEST_REQUEST:
        return None
    address = links.to("execution.execute", process_id=info.process_id)
    request = strictjson.loads(content)
    return Snippets(address, request, job.prefer or "respond-async", token=current_app.identity.knows())


def _renewal(info: StatusInfo, moment: datetime, shows_how_long: bool) -> int:
    """ms until a page that is looked at is worth to be had anew, beside what it hears of."""
    least, most = live.RENEWAL
    age = (moment - (info.started or info.created)).total_seconds()
    return live.pause(age, least, most) if shows_how_long else most


def _remaining(info: StatusInfo, moment: datetime) -> str | None:
    """How long the job may still take, in words; None where it has ended, or nobody can tell."""
    if info.status.final:
        return None
    run = None
    if info.started:
        reported = (info.updated or info.started) - info.started
        run = estimate.Run((moment - info.started).total_seconds(), info.progress, reported.total_seconds())
    return estimate.left(runs.of(info.process_id).durations, run)
