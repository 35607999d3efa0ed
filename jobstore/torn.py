"""What can be said of a job whose files cannot be read: it stays a job, is listed, and harms no other.

Nothing is written here, so nothing is lost: what is torn lies where it was until somebody repairs or removes the job.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from . import files, records
from .records import Job, StatusInfo
from .status import Status

KEPT = ".torn"  # added to the name of what was torn, when something takes its place
CORRUPT = "corrupt"  # the cause of such a failure
STRANGER = "?"  # the owner of a job that no file names any more: nobody is called so
REMEDY = "What is left is kept: have the operator look (geomill fsck), retry the job, or delete it."
UNREADABLE = (FileNotFoundError, IsADirectoryError, ValueError)  # what reading a torn file raises
_LAST = 253_402_300_799.0  # seconds, of the year 9999


def standing(folder: Path, error: Exception, boot_id: str | None) -> StatusInfo:
    """The status of a job without a readable status.json: failed, or running while a supervisor holds its lock.

    error: what reading it raised; boot_id: of this boot, when there is a supervisor.
    """
    found = what_is(folder / "status.json", error)
    job = _job(folder)
    touched = _touched(folder)
    known = StatusInfo(
        job_id=folder.name,
        process_id=job.process_id if job else "",
        owner=job.owner if job else STRANGER,
        created=job.created if job else _born(folder.name),
        updated=touched,
        retry_of=job.retry_of if job else None,
    )
    if boot_id is not None:
        message = f"{found}; the job runs, and its end is going to be told"
        return replace(known, status=Status.RUNNING, boot_id=boot_id, message=message)
    message = f"{found}, so nobody knows how the job ended. {REMEDY}"
    return replace(known, status=Status.FAILED, cause=CORRUPT, finished=touched, message=message)


def what_is(path: Path, error: Exception) -> str:
    """What is wrong with a file, without where it lies: `status.json is missing`."""
    if isinstance(error, FileNotFoundError):
        return f"{path.name} is missing"
    if isinstance(error, IsADirectoryError):
        return f"{path.name} is a folder"
    return f"{path.name} is torn ({error})"


def _job(folder: Path) -> Job | None:
    with suppress(OSError, ValueError):
        job = records.load_job(files.read_json(folder / "job.json"))
        return job if job.job_id == folder.name else None
    return None


def _born(job_id: str) -> datetime:
    """When a job was made, by its id. RFC 9562, 5.7"""
    return datetime.fromtimestamp(min(int(job_id.replace("-", "")[:12], 16) / 1000, _LAST), UTC)


def _touched(folder: Path) -> datetime:
    """When its status was last written; when its folder was, if there is none."""
    for path in (folder / "status.json", folder):
        with suppress(OSError):
            return datetime.fromtimestamp(int(path.stat().st_mtime * 1000) / 1000, UTC)
    return _born(folder.name)
