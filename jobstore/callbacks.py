"""The jobs of a tenant that somebody has yet to hear of: a small file each, in a folder beside the jobs.

<home>/<tenant>/callbacks/<jobID>    there before the job is, gone once everything was told, or given up; it has the
                                     landing page that addresses in what is told begin with
<job>/callbacks.jsonl                what became of each attempt, a line each; written by one process at a time
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import files, folders

LARGEST_LOG = 2**20  # bytes; of a job that reports for weeks the later attempts are not kept, but for those that end it


class Callbacks:
    """The folder of the marks. It costs one system call while there is none."""

    def __init__(self, folder: Path) -> None:
        """folder: made when the first job needs it."""
        self.folder = folder

    def expect(self, job_id: str, root: str, *, durable: bool) -> None:
        """Mark a job that is yet to be made; durable: on disk when this returns. root: of addresses."""
        try:
            files.create(self.folder / job_id, root.encode(), durable=durable)
        except FileNotFoundError:
            self.folder.mkdir(exist_ok=True, mode=folders.PASSABLE)
            files.create(self.folder / job_id, root.encode(), durable=durable)

    def expected(self) -> list[str]:
        """The ids of the jobs that are marked, oldest first."""
        try:
            return sorted(name for name in os.listdir(self.folder) if folders.JOB_ID.fullmatch(name))
        except FileNotFoundError:
            return []

    def root(self, job_id: str) -> str | None:
        """What addresses begin with in what is told of a job; None for one that is not marked."""
        try:
            return (self.folder / job_id).read_text(errors="replace")
        except FileNotFoundError:
            return None

    def is_abandoned(self, job_id: str) -> bool:
        """Whether the mark of a job that is not there is of one that was never made, not of one that is being made."""
        with suppress(FileNotFoundError):
            return time.time() - (self.folder / job_id).stat().st_mtime > folders.ABANDONED
        return False

    def forget(self, job_id: str) -> None:
        """Take the mark from a job."""
        (self.folder / job_id).unlink(missing_ok=True)

    def sync(self, job_id: str) -> None:
        """Bring the mark of a job to disk, if it has one."""
        with suppress(FileNotFoundError):
            files.sync(self.folder / job_id)


def note(folder: Path, attempt: dict[str, Any], *, last: bool) -> None:
    """Add an attempt to the log of a job. folder: of the job; last: no other will follow of its kind."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(folder / folders.CALLBACKS, flags, files.OWNER_ONLY)
    try:
        size = os.fstat(descriptor).st_size
        if size > LARGEST_LOG and not last:
            return
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"  # the power failed in the middle of a line
        os.write(descriptor, b"\n" * torn + json.dumps(attempt, separators=(",", ":")).encode() + b"\n")
    finally:
        os.close(descriptor)


def noted(folder: Path) -> list[dict[str, Any]]:
    """The attempts in the log of a job, first one first; what is torn is passed over."""
    attempts = []
    try:
        lines = (folder / folders.CALLBACKS).read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return []
    for line in lines:
        with suppress(ValueError, RecursionError):
            if isinstance(attempt := json.loads(line), dict):
                attempts.append(attempt)
    return attempts
