"""The steps of a job, as its documents and its page tell of them."""

from __future__ import annotations

from typing import Any

from geomill.app import links, live
from geomill.app.engine.steps import events, logs
from geomill.jobstore import JobStore


def steps_of(store: JobStore, job_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(what happened to the steps of a job, the steps). Raises NoSuchJob, JobExpired."""
    store.check_kept(job_id)
    info = store.status(job_id)
    folder = store.folder(job_id)
    happened, known = events(folder), set(logs(folder))
    steps = live.steps(happened, info.status)
    for name, step in steps.items():
        if f"{name}.log" in known:
            step["log"] = links.to("steps.log", job_id=job_id, name=f"{name}.log")
    return happened, list(steps.values())
