"""What waits, what runs, what failed: all of a store at a glance, from the index."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .records import StatusInfo
from .status import NoSuchJob, Status

if TYPE_CHECKING:
    from .store import JobStore

MOST = 10_000  # jobs that are counted
_UNFINISHED = (
    "SELECT status, process, owner, count(*), min(created), min(started) FROM"
    " (SELECT status, process, owner, created, started FROM jobs WHERE status = ? LIMIT ?)"
    " GROUP BY status, process, owner ORDER BY count(*) DESC, process, owner"
)
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE status = ? {} LIMIT ?)"
_FAILED = (  # the id is that of the row with the maximum: SQLite
    "SELECT process, coalesce(cause, ''), count(*), max(created), id FROM"
    " (SELECT process, cause, created, id FROM jobs WHERE status = 'failed' AND created >= ?"
    " ORDER BY created DESC, id DESC LIMIT ?)"
    " GROUP BY process, cause ORDER BY count(*) DESC, process, cause LIMIT ?"
)
MOST_KINDS = 50  # of failures


@dataclass(frozen=True)
class Group:
    """Jobs of one process, owner and state that have not ended. since: when the first was created, or began to run."""

    tenant: str
    status: Status
    process_id: str
    owner: str
    count: int
    since: datetime


@dataclass(frozen=True)
class Failures:
    """Jobs of one process that failed for the same cause. latest: the newest of them."""

    tenant: str
    cause: str
    process_id: str
    count: int
    latest: StatusInfo


def unfinished(store: JobStore, status: Status) -> list[Group]:
    """The jobs that wait, or those that run, most first. Raises sqlite3.Error."""
    return [
        Group(store.tenant, Status(state), process_id, owner, count, datetime.fromtimestamp(started or created, UTC))
        for state, process_id, owner, count, created, started in store.index.read(_UNFINISHED, [status.value, MOST])
    ]


def count(store: JobStore, status: Status, owner: str | None = None, most: int = MOST) -> int | None:
    """How many jobs are in a state; `most` are counted, None where nobody can tell. owner: of his alone."""
    condition, values = ("", []) if owner is None else ("AND owner = ?", [owner])
    try:
        ((found,),) = store.index.read(_COUNT.format(condition), [status.value, *values, most])
    except sqlite3.Error:
        return None
    return int(found)


def failed(store: JobStore, seconds: float, most: int) -> list[Failures]:
    """The jobs that failed, of those created in this time, by process and cause, most first. Raises sqlite3.Error.

    most: jobs that are counted, the newest.
    """
    found = []
    values = [time.time() - seconds, most, MOST_KINDS]
    for process_id, cause, number, _, job_id in store.index.read(_FAILED, values):
        with suppress(NoSuchJob, OSError):  # it was removed a moment ago
            found.append(Failures(store.tenant, cause, process_id, number, store.read_status(job_id)))
    return found
