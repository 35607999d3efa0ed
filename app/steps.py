"""The steps of a job, as its documents and its page tell of them."""

from __future__ import annotations

from typing import Any

from geomill.app import links
from geomill.app.engine.steps import events, logs
from geomill.jobstore import JobStore, Status

STATES = {"success": "successful", "reused": "successful", "skipped": "successful"}


def steps_of(store: JobStore, job_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(what happened to the steps of a job, the steps). Raises NoSuchJob, JobExpired."""
    store.check_kept(job_id)
    info = store.status(job_id)
    folder = store.folder(job_id)
    happened = events(folder)
    steps: dict[str, dict[str, Any]] = {}
    for event in happened:
        steps[event["step"]] = steps.get(event["step"], {"id": event["step"]}) | _member(event)
    for step in steps.values():
        if step["status"] == "running" and info.status.final:  # it was ended with its job, and nobody came to say so
            step["status"] = "dismissed" if info.status is Status.DISMISSED else "failed"
    known = set(logs(folder))
    for name, step in steps.items():
        if f"{name}.log" in known:
            step["log"] = links.to("steps.log", job_id=job_id, name=f"{name}.log")
    return happened, list(steps.values())


def _member(event: dict[str, Any]) -> dict[str, Any]:
    """What an event says of its step."""
    known = {"tool": "tool", "exit_code": "exitCode", "seconds": "seconds", "peak_memory": "peakMemory"}
    told = {ours: event[theirs] for theirs, ours in known.items() if theirs in event}
    if event["event"] == "started":
        return {**told, "status": "running", "started": event.get("time")}
    outcome = event.get("outcome", "")
    reused = {"reused": True} if outcome == "reused" else {}
    return {**told, "status": STATES.get(outcome, "failed"), "finished": event.get("time"), **reused}
