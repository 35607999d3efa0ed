"""Retention: what of a home is due to go, and its removal. Finished jobs expire, and their statuses go in the end.

    <home>/retention.json    how far time has come for retention; see clock()

What is due is found by the index, and decided by each job's own status.
"""

from __future__ import annotations

import heapq
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import files
from .alive import boot_id
from .listing import repair_index
from .moves import may_expire
from .records import StatusInfo
from .status import AGE, DISK, InvalidTransition, NoSuchJob, StatusChanged, StoreBusy
from .store import JobStore

STATUS = "status"  # why the status of an expired job goes
MARK = "retention.json"
YOUNGEST = 3600.0  # seconds since its end before which no job expires to make room
MARGIN = 0.05  # of the disk, that is freed below the mark: so that it is not reached again at once
FLOOR = 0.1  # of the disk, that finished jobs may fill in any case: it is others' data that fills the rest
CATCH_UP = 24.0  # how much faster than time itself the time of retention may go
_BATCH = 500


@dataclass(frozen=True)
class Rules:
    """keep: seconds from the end of a job, keep_status: from its expiry; keep_disk: share of the disk; 0: never."""

    keep: float
    keep_disk: float
    keep_status: float


@dataclass(frozen=True)
class Due:
    """A job that is due. why: AGE, DISK, or STATUS, when it has expired already; size: bytes on disk."""

    store: JobStore
    job_id: str
    why: str
    size: int


def due(stores: Sequence[JobStore], rules: Rules, moment: float) -> list[Due]:
    """What would go now, in order. moment: seconds, as clock() gives them. The stores are those of one home."""
    sound = [store for store in stores if _is_sound(store)]
    found: list[Due] = []
    for store in sound:
        if rules.keep_status:
            ids = _forgettable(store, rules, moment)
            found += [Due(store, job_id, STATUS, weight(store.folder(job_id))) for job_id in ids]
        if rules.keep:
            old = _finished(store, moment - rules.keep)
            found += [Due(store, info.job_id, AGE, weight(store.folder(info.job_id))) for _, info in old]
    if sound and rules.keep_disk:
        found += _for_disk(sound, rules, found)
    return found


def carry_out(each: Due) -> bool:
    """Remove what is due, if it still is; whether it went."""
    with suppress(NoSuchJob, StoreBusy, StatusChanged, InvalidTransition, OSError):  # there is another time
        if each.why == STATUS:
            info = each.store.read_status(each.job_id)
            if info.expired:
                each.store.remove(each.job_id, info.etag)
                return True
        else:
            return each.store.expire(each.job_id, each.why).expired is not None
    return False


def excess(home: Path, keep_disk: float) -> float:
    """Bytes in use above a share of the home's disk; below it less than 0."""
    disk = os.statvfs(home)
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    return used - keep_disk * (used + disk.f_bavail * disk.f_frsize)


def weight(folder: Path) -> int:
    """Bytes that a folder takes on disk."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in (".", *names):
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total


def clock(home: Path, start: float, *, note: bool) -> float:
    """The time by which jobs are kept, in seconds: the host's, unless that was set forward, or stood still for long.

    Then it comes up from where it was, a day for each hour that the host is on: people have hours to notice.
    start: where it begins in a home that has none yet; note: remember how far it has come.
    """
    wall, since_boot = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    try:
        mark = files.read_json(home / MARK)
        begun, ran, boot = float(mark["time"]), float(mark["ran"]), str(mark["boot"])
        elapsed = since_boot - ran if boot == boot_id() else since_boot
    except (OSError, ValueError, LookupError, TypeError):
        begun, elapsed = min(start, wall), 0.0
    moment = min(wall, begun + CATCH_UP * max(0.0, elapsed))
    if note:
        content = {"time": moment, "ran": since_boot, "boot": boot_id()}
        files.write_json(home / MARK, content, durable=False)
    return moment


def _is_sound(store: JobStore) -> bool:
    """Whether its index can be believed, made anew if need be."""
    repair_index(store)
    return store.index.sound(boot_id())


def _finished(store: JobStore, before: float) -> Iterator[tuple[float, StatusInfo]]:
    """When jobs that may expire ended, and their statuses, oldest first."""
    after = (0.0, "")
    with suppress(sqlite3.Error):  # it is made anew by the next time
        while rows := store.index.ended(before, after, _BATCH):
            for ended, job_id in rows:
                with suppress(NoSuchJob, OSError):
                    info = store.read_status(job_id)
                    if may_expire(info):
                        yield ended, info
            after = rows[-1]


def _ages(store: JobStore, before: float) -> Iterator[tuple[float, str, JobStore]]:
    return ((ended, info.job_id, store) for ended, info in _finished(store, before))


def _forgettable(store: JobStore, rules: Rules, moment: float) -> list[str]:
    try:
        return store.index.expired(moment - rules.keep_status, 100 * _BATCH)
    except sqlite3.Error:
        return []


def _for_disk(stores: Sequence[JobStore], rules: Rules, found: Sequence[Due]) -> list[Due]:
    """The oldest jobs that make enough room, beside what goes anyway; none where jobs are not what fills the disk."""
    home = stores[0].home
    going = sum(each.size for each in found)
    if excess(home, rules.keep_disk) <= going:
        return []
    chosen, gone = [], {each.job_id for each in found}
    before = time.time() - min(YOUNGEST, rules.keep or YOUNGEST)
    oldest_first = heapq.merge(*(_ages(store, before) for store in stores), key=lambda row: row[0])
    for _, job_id, store in oldest_first:
        if job_id not in gone:
            chosen.append(Due(store, job_id, DISK, weight(store.folder(job_id))))
    disk = os.statvfs(home)
    if sum(each.size for each in chosen) < FLOOR * disk.f_blocks * disk.f_frsize:
        return []
    missing = excess(home, max(0.0, rules.keep_disk - MARGIN)) - going
    number = 0
    while number < len(chosen) and missing > 0:
        missing -= chosen[number].size
        number += 1
    return chosen[:number]
