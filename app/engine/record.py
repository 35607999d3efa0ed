"""What the dispatchers of a runtime directory have done, counted across their deaths.

A small file that each of them, of which there is one at a time, replaces when there is something to count: seldom.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

from geomill.jobstore import files

FILE = "dispatchers.json"  # in the runtime directory
STARTS, SWEPT = "starts", "swept"  # dispatchers that began; processes that jobs left, and that were ended


def read(runtime: Path) -> Counter[str]:
    """How often what was done; nothing where nobody can tell."""
    with suppress(OSError, ValueError, TypeError):
        found = files.read_json(runtime / FILE)
        if isinstance(found, dict):
            return +Counter({name: int(found.get(name, 0)) for name in (STARTS, SWEPT)})
    return Counter()


def note(runtime: Path, what: str, times: int = 1) -> None:
    """Count it; on a disk without room it is not."""
    if times:
        with suppress(OSError):
            files.write_json(runtime / FILE, dict(read(runtime) + Counter({what: times})), durable=False)
