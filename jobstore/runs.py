"""How often a process ran, and how long it took: from the index, at a price that does not grow with the store."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from .status import Status

if TYPE_CHECKING:
    from .store import JobStore

MOST_COUNTED = 1000  # jobs of a process
LATEST = 200  # jobs among which those are that a duration is learnt from
SAMPLE = 50  # successful jobs
# {}: the jobs that count, newest first, each of them found in an index
_COUNT = "SELECT count(*) FROM (SELECT 1 {} LIMIT ?)"
_LATEST = "SELECT created, started, finished, status {} ORDER BY created DESC, id DESC LIMIT ?"


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
    jobs, values = "FROM jobs WHERE process = ?", [process_id]
    if owner is not None:
        jobs, values = "FROM jobs WHERE owner = ? AND +process = ?", [owner, process_id]
    try:
        ((count,),) = store.index.read(_COUNT.format(jobs), [*values, MOST_COUNTED + 1])
        rows = store.index.read(_LATEST.format(jobs), [*values, LATEST])
    except sqlite3.Error:
        return Runs()
    ended = [row for row in rows if row[3] == Status.SUCCESSFUL.value and row[1] is not None]
    took = [finished - started for _, started, finished, _ in ended]
    last = datetime.fromtimestamp(rows[0][0], UTC) if rows else None
    return Runs(count, last, tuple(took[:SAMPLE]))


def lately(store: JobStore, owner: str | None = None) -> dict[str, datetime]:
    """When processes last ran, of the newest jobs: by id. owner: of his alone."""
    where, values = ("", []) if owner is None else ("WHERE owner = ? ", [owner])
    newest = f"SELECT process, created FROM jobs {where}ORDER BY created DESC LIMIT ?"  # noqa: S608  ours
    try:
        rows = store.index.read(f"SELECT process, max(created) FROM ({newest}) GROUP BY process", [*values, LATEST])  # noqa: S608
    except sqlite3.Error:
        return {}
    return {process_id: datetime.fromtimestamp(created, UTC) for process_id, created in rows}
