"""The list of a store's jobs, a page at a time: found by the index, told by each job's own status.

The index is derived from the folders, and made sure of before it is asked.
"""

from __future__ import annotations

import base64
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from . import folders, torn
from .alive import boot_id
from .home import HomeGone
from .records import StatusInfo
from .status import BadCursor, NoSuchJob, Status, StoreBusy
from .walks import Filters, Row

if TYPE_CHECKING:
    from .store import JobStore

_TRIES = 4
_PATIENCE = 2.0  # seconds to wait for who makes the index anew
_LOOK_EVERY = 0.02
MOST = 10_000  # jobs that are counted, the newest


@dataclass(frozen=True)
class Page:
    """Part of a job list; `next` continues it and stays right while jobs arrive."""

    jobs: list[StatusInfo]
    next: str | None


def page(store: JobStore, filters: Filters, limit: int, after: str | None) -> Page:
    """Jobs newest first. after: the `next` of the page before. Raises BadCursor for one that is not."""
    if filters.types and "process" not in filters.types:
        return Page([], None)
    begin = _decode(after) if after else None
    try:
        rows = _rows(store, filters, limit + 1, begin)
    except sqlite3.Error:  # now it is known to be corrupt
        rows = _rows(store, filters, limit + 1, begin)
    jobs = _told(store, filters, rows[:limit])
    return Page(jobs, _encode(rows[limit - 1]) if len(rows) > limit else None)


def part(store: JobStore, filters: Filters, first: int, count: int) -> tuple[list[StatusInfo], int]:
    """Jobs newest first from the first-th on, counted from 0, and how many there are in all, as far as MOST."""
    try:
        rows = _rows(store, filters, MOST, None)
    except sqlite3.Error:  # now it is known to be corrupt
        rows = _rows(store, filters, MOST, None)
    return _told(store, filters, rows[first : first + count]), len(rows)


def _told(store: JobStore, filters: Filters, rows: list[Row]) -> list[StatusInfo]:
    """The jobs in these rows, as each is by its own word."""
    jobs = []
    for _, job_id in rows:
        try:
            info = store.recalled.status(store, job_id)
        except NoSuchJob:
            store.index.delete(job_id)
            continue
        except HomeGone:
            raise
        except OSError:  # one that cannot be read harms no other; fsck names it
            continue
        if info.cause == torn.CORRUPT:
            store.index.put(info)  # which may know it as it was
        if not filters.statuses or info.status in filters.statuses:
            jobs.append(info)
    return jobs


def _rows(store: JobStore, filters: Filters, limit: int, after: Row | None) -> list[Row]:
    """What the index says; while somebody makes it anew, newest first, as soon as that has come far enough.

    Raises StoreBusy where that takes long.
    """
    deadline = time.monotonic() + _PATIENCE
    for tries in count(1):  # until what was believed is what was read
        incarnation = store.index.incarnation
        done = repair_index(store, 0)
        filled = inf if done else store.index.filled()
        if filters.by_state:
            _catch_up(store)
        rows = store.index.page(filters, limit, after, time.time())
        same = store.index.incarnation == incarnation
        if (done and (same or tries >= _TRIES)) or (same and filled <= _oldest(filters, limit, rows)):
            break
        if not done:
            if time.monotonic() > deadline:
                raise StoreBusy("The list of jobs is being made anew from their folders; try again.")
            time.sleep(_LOOK_EVERY)
    return rows


def _oldest(filters: Filters, limit: int, rows: list[Row]) -> float:
    """Since when an index has to know all jobs for these rows to be what was asked for; seconds."""
    if len(rows) == limit:
        return rows[-1][0]
    return filters.since.timestamp() if filters.since else -inf


def _catch_up(store: JobStore) -> None:
    """Note what the dispatcher has not noted yet: jobs that ended this moment, or while there was none."""
    for job_id, _ in store.index.ids(Status.RUNNING):
        with suppress(NoSuchJob, OSError):
            info = store.status(job_id)
            if info.status is not Status.RUNNING and store.read_status(job_id) == info:  # else it cannot be written
                store.index.put(info)


def repair_index(store: JobStore, patience: float = 5.0) -> bool:
    """Make the index anew when it cannot be believed; False where somebody is at it, and is not done in time.

    patience: seconds to wait for him.
    """
    if store.index.sound(boot_id()):
        return True
    try:
        with store.locks.index(store.tenant, patience):
            if not store.index.sound(boot_id()):
                store.index.rebuild(said_by_folders(store), boot_id())
            return True
    except TimeoutError:
        return False


def said_by_folders(store: JobStore) -> Iterator[StatusInfo]:
    """What the index has to know, the newest shard first."""
    for job_id in folders.walk(store.jobs, newest=True):
        with suppress(NoSuchJob, OSError):
            info = store.read_status(job_id)
            if info.expired and folders.beside_status(store.folder(job_id)):
                info = replace(info, expired=None)  # somebody was killed there: it is still to be done
            yield info


def _encode(row: Row) -> str:
    return base64.urlsafe_b64encode(f"{row[0]!r} {row[1]}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> Row:
    try:
        created, job_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        return float(created), job_id
    except ValueError:
        raise BadCursor(f"cursor: {cursor!r} is none that this server gave") from None
