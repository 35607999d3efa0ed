"""What status files say, as long as they are the same: a list shows the same hundreds over and over, and who waits
for a job asks every second.

Files are replaced, never edited, so that a file with the same number, size and times has the same content. Not where
it was replaced twice within a tick of the clock that stamps files: what is that young is read anew.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from .records import StatusInfo
from .torn import CORRUPT

if TYPE_CHECKING:
    from .store import JobStore

MOST = 1000  # statuses, of about a kilobyte each
_YOUNG = 2_000_000_000  # ns
Stamp = tuple[int, int, int, int]


class Recalled:
    """What was read, by the path of the file; who has forgotten it reads again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, StatusInfo]] = {}

    def status(self, store: JobStore, job_id: str) -> StatusInfo:
        """As store.read_status, which is asked for the rest. job_id: one that can be. Raises what that raises."""
        path = f"{store.jobs}/{job_id[:7]}/{job_id}/status.json"
        stamp = _stamp(path)
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        info = store.read_status(job_id)
        if stamp is not None and info.cause != CORRUPT:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[path] = stamp, info
        return info


def _stamp(path: str) -> Stamp | None:
    """What tells a file from those before it; None for one that is too young, or cannot be seen."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if time.time_ns() - found.st_ctime_ns < _YOUNG:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
