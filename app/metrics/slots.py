"""Counts of web workers, in files that outlive them.

A worker takes a slot, a file that nobody else holds, and counts on in it from where the one before was. So nothing is
lost with a worker, no file is left behind for each of them, and whoever is asked adds up all slots. Counting is a store
into memory that is shared with the file: no system call, and nothing to write when a worker is killed.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
import weakref
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock

from geomill.jobstore import files

FOLDER = "counts"  # in the runtime directory
LOOK_EVERY = 10.0  # seconds: somebody may have removed the runtime directory, or it was full
CELL = 8  # bytes


class Slots:
    """So many whole numbers for each worker; the first of them are of what is now, and end with their worker.

    None is below 0. What cannot be counted for want of room or of a folder is not, and fails nothing.
    """

    def __init__(self, runtime: Path, layout: str, cells: int, passing: Sequence[int]) -> None:
        """layout: names what the cells mean; counts under another one begin at 0.

        passing: what the first cells, those of what is now, are in the beginning.
        """
        self.folder, self.layout, self.cells, self.passing = runtime / FOLDER, layout, cells, passing
        self._lock = Lock()
        self._slot: _Slot | None = None
        self._due = 0.0

    def add(self, *steps: tuple[int, int]) -> None:
        """Add to cells: (number of the cell, how much)."""
        with self._lock:
            if (slot := self._present()) is not None:
                for cell, step in steps:
                    slot.view[cell] += step

    def set(self, cell: int, value: int) -> None:
        """Say what is now."""
        with self._lock:
            if (slot := self._present()) is not None:
                slot.view[cell] = value

    def total(self) -> array[int]:
        """All slots together; what is now, only of workers that live."""
        total = array("q", bytes(CELL * self.cells))
        for path in self._paths():
            with suppress(FileNotFoundError):
                content = path.read_bytes()[: CELL * self.cells]
                found = array("q", content[: len(content) // CELL * CELL])  # a disk without room cuts a new one short
                begin = 0 if files.is_locked(path) else len(self.passing)
                for cell in range(begin, len(found)):
                    total[cell] += found[cell]
        return total

    def _present(self) -> _Slot | None:
        """The slot of this process, looked for now and then."""
        now = time.monotonic()
        if now < self._due:
            return self._slot
        self._due = now + LOOK_EVERY
        try:
            if self._slot is None or not self._slot.is_there():
                self._slot = self._take()
        except OSError:  # no room, no descriptor, no folder
            self._slot = None
        return self._slot

    def _take(self) -> _Slot:
        """The first slot that is free. Raises OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._tidy()
        for number in count():
            path = self.folder / f"{self.layout}.{number}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.OWNER_ONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                slot = _Slot(path, descriptor, CELL * self.cells)
            except BlockingIOError:
                os.close(descriptor)
                continue
            except OSError:
                os.close(descriptor)
                raise
            for cell, value in enumerate(self.passing):
                slot.view[cell] = value
            return slot
        raise AssertionError  # there is no end of numbers

    def _paths(self) -> Iterator[Path]:
        return self.folder.glob(f"{self.layout}.*")

    def _tidy(self) -> None:
        """Remove slots of another layout that nobody counts in any more."""
        for path in self.folder.iterdir():
            if not path.name.startswith(f"{self.layout}.") and not files.is_locked(path):
                path.unlink(missing_ok=True)


class _Slot:
    """A file that is held and mapped until this goes."""

    def __init__(self, path: Path, descriptor: int, length: int) -> None:
        """descriptor: ours from now on. Raises OSError where there is no room."""
        # all of it now: a page for which there is no room when it is written ends the process
        os.posix_fallocate(descriptor, 0, length)
        self.path, self.descriptor = path, descriptor
        self.view = memoryview(mmap.mmap(descriptor, length)).cast("q")
        weakref.finalize(self, os.close, descriptor)

    def is_there(self) -> bool:
        """Whether others find it."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.stat(self.path))
        except OSError:
            return False
