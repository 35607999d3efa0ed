"""The steps of a job, as its documents and its page tell of them."""

from __future__ import annotations

from typing import Any

from geomill.app import links, live
from geomill.app.engine.steps import events, logs
from geomill.jobstore import JobExpired, JobStore, StatusInfo

Steps = list[dict[str, Any]]


def steps_of(store: JobStore, job_id: str) -> tuple[Steps, Steps]:
    """(what happened to the steps of a job, the steps). Raises NoSuchJob, JobExpired."""
    info, folder = kept(store, job_id), store.folder(job_id)
    happened, known = events(folder), set(logs(folder))
    steps = live.steps(happened, info.status)
    for name, step in steps.items():
        if f"{name}.log" in known:
            step["log"] = links.to("steps.log", job_id=job_id, name=f"{name}.log")
    return happened, list(steps.values())


def kept(store: JobStore, job_id: str) -> StatusInfo:
    """The status of a job of which there is more than that. Raises NoSuchJob, JobExpired."""
    info = store.status(job_id)
    if info.expired:
        raise JobExpired(info)
    return info
