"""The locks of a store, files in the runtime directory of this host: what may be written by one at a time.

A job's own lock, which says whether it has a supervisor, is none of these: see folders.LOCK.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from . import files
from .status import StoreBusy

_OPEN = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
LOOK_EVERY = 0.002  # seconds between two tries to get a lock


class Locks:
    """The locks below a runtime directory, which is made when needed, and again if it was tidied away."""

    def __init__(self, runtime: Path, patience: float = 2.0) -> None:
        """patience: seconds to wait for who moves a job; negative: for ever."""
        self.runtime, self.patience = runtime, patience
        self._folder = runtime / "locks"
        self._make()

    def path(self, name: str) -> Path:
        """The file of a lock."""
        if not self._folder.exists():
            self._make()
        return self._folder / name

    def _open(self, name: str) -> int:
        """A lock's file, whose folder is seldom not there."""
        try:
            return os.open(f"{self._folder}/{name}", _OPEN, files.OWNER_ONLY)
        except FileNotFoundError:
            return os.open(self.path(name), _OPEN, files.OWNER_ONLY)

    @contextmanager
    def moving(self, job_id: str, patience: float | None = None) -> Iterator[None]:
        """Hold the lock that moves of a job are made under: one of 256, by the random end of its id.

        It is held for milliseconds, unless its holder was stopped. Raises StoreBusy then, if we are not patient.
        By itself: filelock takes a thousand times as long, half a job's start, and 50 ms where the lock is held.
        """
        patience = self.patience if patience is None else patience
        deadline = time.monotonic() + patience
        lock = self._open(job_id[-2:])
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if patience >= 0 else 0))
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        words = "is being written by a process that does not go on; try again"
                        raise StoreBusy(f"job {job_id} {words}") from None
                    time.sleep(LOOK_EVERY)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def key(self, name: str) -> Iterator[None]:
        """Hold the lock that an idempotency key is looked up and set under. Raises StoreBusy as above."""
        lock = self._lock(f"key-{name[:2]}", self.patience)
        try:
            lock.__enter__()
        except TimeoutError:
            words = "is being looked up by a process that does not go on; try again"
            raise StoreBusy(f"the Idempotency-Key {words}") from None
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    def index(self, tenant: str, seconds: float) -> AbstractContextManager[Any]:
        """The lock that a tenant's index is made anew under. Raises TimeoutError when it is held for longer."""
        return self._lock(f"index-{tenant}", seconds)

    def retention(self, seconds: float) -> AbstractContextManager[Any]:
        """The lock that one removes what is due under. Raises TimeoutError when it is held for longer."""
        return self._lock("retention", seconds)

    def _lock(self, name: str, seconds: float) -> AbstractContextManager[Any]:
        from filelock import FileLock  # its hook is called at every fork, and jobs need none

        return FileLock(self.path(name), timeout=seconds, mode=files.OWNER_ONLY)

    def _make(self) -> None:
        self.runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.mkdir(exist_ok=True, mode=0o700)
