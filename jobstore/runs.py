"""How often a process ran, and how long it took: from the index, at a price that does not grow with the store."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from .status import Status
from .walks import Filters, newest

if TYPE_CHECKING:
    from .store import JobStore

MOST_COUNTED = 1000  # jobs of a process
LATEST = 200  # jobs among which those are that a duration is learnt from
SAMPLE = 50  # successful jobs
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE {} LIMIT ?)"  # {}: conditions of ours
_LATEST = "created, started, finished, status, id"


@dataclass(frozen=True)
class Runs:
    """The jobs of a process. count: at most MOST_COUNTED + 1; last: when the newest was created.

    durations: in seconds, of the newest successful ones, at most SAMPLE.
    """

    count: int = 0
    last: datetime | None = None
    durations: tuple[float, ...] = ()

    @property
    def more(self) -> bool:
        """Whether there are more than were counted."""
        return self.count > MOST_COUNTED

    @property
    def median(self) -> float | None:
        """How long a job takes, in seconds; None where none was successful."""
        return median(self.durations) if self.durations else None


def of_process(store: JobStore, process_id: str, owner: str | None = None) -> Runs:
    """The jobs of a process as the index knows them. owner: of his alone; nothing where there is no index."""
    jobs, named = "process = ?", [process_id]
    if owner is not None:
        jobs, named = "owner = ? AND +process = ?", [owner, process_id]
    latest, values = newest(Filters(process_ids=(process_id,), owner=owner), _LATEST)
    try:
        ((count,),) = store.index.read(_COUNT.format(jobs), [*named, MOST_COUNTED + 1])
        rows = store.index.read(latest, [*values, LATEST])
    except sqlite3.Error:
        return Runs()
    ended = [row for row in rows if row[3] == Status.SUCCESSFUL.value and row[1] is not None]
    took = [finished - started for _, started, finished, _, _ in ended]
    last = datetime.fromtimestamp(rows[0][0], UTC) if rows else None
    return Runs(count, last, tuple(took[:SAMPLE]))


def lately(store: JobStore, owner: str | None = None) -> dict[str, datetime]:
    """When processes last ran, of the newest jobs: by id. owner: of his alone."""
    latest, values = newest(Filters(owner=owner), "created, id, process")
    try:
        rows = store.index.read(f"SELECT process, max(created) FROM ({latest}) GROUP BY process", [*values, LATEST])  # noqa: S608  ours
    except sqlite3.Error:
        return {}
    return {process_id: datetime.fromtimestamp(created, UTC) for process_id, created in rows}
