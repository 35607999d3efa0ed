"""What waits, what runs, what failed: all of a store at a glance, from the index."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
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
_FAILED = "SELECT id FROM jobs WHERE status = 'failed' AND created >= ? ORDER BY created DESC, id DESC LIMIT ?"


@dataclass(frozen=True)
class Group:
    """Jobs of one process, owner and state that have not ended. since: when the first was created, or began to run."""

    tenant: str
    status: Status
    process_id: str
    owner: str
    count: int
    since: datetime


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


def failed(store: JobStore, seconds: float, most: int) -> Iterator[StatusInfo]:
    """The newest jobs that failed, of those created in this time. Raises sqlite3.Error."""
    for (job_id,) in store.index.read(_FAILED, [time.time() - seconds, most]):
        with suppress(NoSuchJob, OSError):
            info = store.read_status(job_id)
            if info.status is Status.FAILED:
                yield info
