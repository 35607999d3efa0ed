"""Jobs for a store, without an engine."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from geomill.jobstore import Admission, Job, JobStore, Result, Status, StatusInfo
from geomill.jobstore import files as job_files
from geomill.jobstore.alive import boot_id
from geomill.jobstore.records import dump, new_job_id, now

REQUEST = b'{"inputs":{"text":"hello"}}'


def open_store(root: Path, **admission: int) -> JobStore:
    """A store below this folder; again is the same store, as another process sees it."""
    return JobStore(root / "home", root / "run", admission=Admission(**admission) if admission else None)


def new_job(request: bytes = REQUEST, *, age: float = 0, **members: Any) -> Job:
    """A job to create. age: seconds since it was created."""
    created: datetime = now() - timedelta(seconds=age)
    given: dict[str, Any] = {
        "job_id": new_job_id(), "process_id": "echo", "version": "1.0.0", "owner": "", "created": created,
        "package": "0" * 64, "described": "described.json", "path": "/echo.py", "entry": "echo",
        "request_digest": sha256(request).hexdigest(),
    }  # fmt: skip
    return Job(**{**given, **members})


def create(
    store: JobStore, request: bytes = REQUEST, *, durable: bool = True, root: str | None = None, **members: Any
) -> str:
    """Create a job and give its id. root: of the addresses in its callbacks."""
    return store.create(new_job(request, **members), request, durable=durable, callback_root=root).job_id


def begin(store: JobStore, job_id: str) -> StatusInfo:
    """Say that a job runs; its supervisor has gone, unless somebody holds the lock."""
    began = {"pid": os.getpid(), "start_time": 0, "boot_id": boot_id(), "started": now()}
    return store.move(job_id, Status.RUNNING, **began)


def succeed(
    store: JobStore, job_id: str, results: dict[str, Result] | None = None, *, begun: bool = False
) -> StatusInfo:
    """Take an accepted job, or one that has begun, to its successful end."""
    if not begun:
        begin(store, job_id)
    content = {name: dump(result) for name, result in (results or {"echo": Result("hello")}).items()}
    job_files.write_json(store.folder(job_id) / "results.json", content, durable=False)
    return store.move(job_id, Status.SUCCESSFUL, progress=100)


def bring_to(store: JobStore, job_id: str, status: Status) -> None:
    """Take an accepted job to any state, along the table of moves."""
    if status is Status.SUCCESSFUL:
        succeed(store, job_id)
    elif status is Status.FAILED:
        begin(store, job_id)
        store.move(job_id, status, cause="exception", message="it broke")
    elif status is Status.RUNNING:
        begin(store, job_id)
    elif status is Status.DISMISSED:
        store.move(job_id, status)
