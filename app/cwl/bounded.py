"""Logs of tools, which may print without end: of too long a log the beginning and the end are kept.

A tool writes to the file itself, which costs it nothing. Whoever waits for the tool makes a hole in the file now and
then, which takes the disk what nobody is going to read, and closes it when the tool has ended.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

MOST = 16 << 20  # bytes of a log
FIRST, LAST = 8 << 20, 64 << 10  # bytes that are kept of a longer one
FAST = 1 << 20  # bytes between two looks after which the next one has to be soon
CUT = b"\n[... cut off here: the log had become too long ...]\n"
_PUNCH_HOLE, _KEEP_SIZE = 2, 1
_LIBC = ctypes.CDLL(None)


class BoundedLog:
    """A log that a tool appends to."""

    def __init__(self, path: Path) -> None:
        """path: of a file that is there."""
        self.path = path
        self._size = 0

    def look(self) -> bool:
        """Give back what is between the beginning and the end; whether the log grows fast."""
        before, self._size = self._size, self.path.stat().st_size
        if self._size > MOST:
            start = max(FIRST, before - LAST)
            with self.path.open("r+b", 0) as file:
                hole = ctypes.c_long(start), ctypes.c_long(self._size - LAST - start)
                _LIBC.fallocate(file.fileno(), _PUNCH_HOLE | _KEEP_SIZE, *hole)
        return self._size - before > FAST

    def close(self) -> None:
        """Say what is not there, when nobody writes any more."""
        if (size := self.path.stat().st_size) > MOST:
            with self.path.open("r+b", 0) as file:
                file.seek(size - LAST)
                last = file.read(LAST)
                file.truncate(FIRST)
                file.seek(FIRST)
                file.write(CUT + last)
