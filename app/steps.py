"""The steps of a job, as its documents and its page tell of them."""

from __future__ import annotations

from typing import Any

from geomill.app import links, live
from geomill.app.engine.client import Engine
from geomill.app.engine.steps import all_logs, events, logs, parse_events, read_events, size_of_events
from geomill.app.live import Told
from geomill.jobstore import JobExpired, JobStore, Status, StatusInfo

Steps = list[dict[str, Any]]


def steps_of(store: JobStore, job_id: str) -> tuple[Steps, Steps]:
    """(what happened to the steps of a job, the steps). Raises NoSuchJob, JobExpired."""
    info, folder = _kept(store, job_id), store.folder(job_id)
    happened = events(folder)
    address, known = links.of_logs(job_id), set(logs(folder, happened))
    steps = live.steps(happened, info.status)
    for name, step in steps.items():
        if f"{name}.log" in known:
            step["log"] = address(f"{name}.log")
    return happened, list(steps.values())


def seen_of(store: JobStore, engine: Engine, job_id: str, told: Told) -> live.Seen:
    """A job as it is; its status first: once that is the last, so is all else. told: what need not be read again.

    Raises NoSuchJob, JobExpired.
    """
    info, folder = _kept(store, job_id), store.folder(job_id)
    place = engine.place(job_id) if info.status is Status.ACCEPTED else None
    known = told.events
    if size_of_events(folder) == known and info.status.final == told.final:
        return live.Seen(info, place, [], frozenset(), known, all_logs(folder))
    content = read_events(folder)
    happened = parse_events(content)
    known = known if known <= len(content) else 0  # all of them are new where the job began anew
    changed = frozenset(event["step"] for event in (parse_events(content[known:]) if known else happened))
    return live.Seen(info, place, happened, changed, len(content), all_logs(folder))


def _kept(store: JobStore, job_id: str) -> StatusInfo:
    """The status of a job of which there is more than that. Raises NoSuchJob, JobExpired."""
    info = store.status(job_id)
    if info.expired:
        raise JobExpired(info)
    return info
