"""The idempotency keys of a tenant: a link each, from the name of the key to the id of the job made with it."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from . import folders
from .locks import Locks
from .status import NoSuchJob, StoreBusy


def name_of(owner: str, key: str | None) -> str:
    """What the link of a key is called: the same key of another owner is another."""
    return hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()


class Keys:
    """The folder of the links."""

    def __init__(self, folder: Path, jobs: Path, locks: Locks) -> None:
        """jobs: where the jobs are that they lead to."""
        self.folder, self._jobs, self._locks = folder, jobs, locks

    def held(self, name: str) -> AbstractContextManager[None]:
        """The lock that a key is looked up and set under. Raises StoreBusy."""
        return self._locks.key(name)

    def job_of(self, name: str) -> str | None:
        """The id of the job that a key leads to, if it is there."""
        try:
            job_id = os.readlink(self.folder / name)
            return job_id if folders.place(self._jobs, job_id).is_dir() else None
        except (OSError, NoSuchJob):  # the former: no link
            return None

    def lead_to(self, job_id: str, name: str) -> None:
        """Let a key that leads to no job lead to this one; it is held."""
        (self.folder / name).unlink(missing_ok=True)
        os.symlink(job_id, self.folder / name)

    def forget(self, name: str, job_id: str) -> None:
        """Remove the key of a job that is gone, unless it leads to another by now."""
        with suppress(FileNotFoundError, StoreBusy), self.held(name):  # a key without a job is as good as none
            if os.readlink(self.folder / name) == job_id:
                (self.folder / name).unlink()
