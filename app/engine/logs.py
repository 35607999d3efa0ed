"""The dispatcher's log, which templates and supervisors write as well; it is not to fill the runtime directory."""

from __future__ import annotations

import os
from pathlib import Path

MOST = 1_000_000  # bytes of a log
KEPT = 200_000  # bytes of its end that are kept beside it, when it is begun anew


def bound(log: Path) -> None:
    """Begin a log anew when it is long. All who write it append, so that they go on at its beginning."""
    try:
        with open(log, "r+b") as file:
            length = os.fstat(file.fileno()).st_size
            if length <= MOST:
                return
            end = os.pread(file.fileno(), KEPT, length - KEPT)
            log.with_name(f"{log.name}.1").write_bytes(end.partition(b"\n")[2] or end)
            file.truncate(0)
    except OSError:  # a runtime directory that was removed, or is full: there is another time
        return
