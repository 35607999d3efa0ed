"""Logs of tools, which may print without end: of too long a log the beginning and the end are kept.

A tool writes to the file itself, which costs it nothing; whoever waits for the tool looks at the file now and then.
"""

from __future__ import annotations

from pathlib import Path

MOST = 16 << 20  # bytes of a log
FIRST, LAST = 8 << 20, 64 << 10  # bytes that are kept of a longer one
FAST = 1 << 20  # bytes between two looks after which the next one has to be soon
CUT = b"\n[... cut off here: the log had become too long ...]\n"


class BoundedLog:
    """Looks at a log that others append to."""

    def __init__(self, path: Path) -> None:
        """path: of a file that is there."""
        self.path = path
        self._size = 0

    def look(self) -> bool:
        """Cut it if need be; whether it grows fast."""
        before, self._size = self._size, self.path.stat().st_size
        if self._size > MOST:
            self._cut()
        return self._size - before > FAST

    def _cut(self) -> None:
        with self.path.open("r+b", 0) as file:
            file.seek(self._size - LAST)
            last = file.read(LAST)
            file.truncate(FIRST)
        with self.path.open("ab", 0) as file:  # behind what was printed in this moment
            file.write(CUT + last)
        self._size = FIRST
