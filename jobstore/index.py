"""The listing index: derived from the job folders, in SQLite, on the host.

Nothing is lost with it. It never fails a job: whatever goes wrong while writing leaves the mark `stale`, and a stale,
missing or corrupt index is repaired from the folders.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from datetime import datetime
from itertools import count, islice
from math import inf
from pathlib import Path
from typing import Any

from . import tally
from .folders import end_of_shard
from .records import StatusInfo
from .status import Status
from .tables import opened
from .walks import Filters, Row, newest

# an older row never overwrites a newer one, so repair and the jobs themselves may write at the same time; what `begin`
# has noted stays, since whoever accepted the job, or has read its folder before that, may come later
_PUT = """
INSERT INTO jobs (id, created, process, owner, status, started, finished, updated, expired, cause)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status=excluded.status, finished=excluded.finished, updated=excluded.updated,
    started=CASE excluded.status WHEN 'accepted' THEN jobs.started ELSE excluded.started END,
    expired=excluded.expired, cause=excluded.cause
    WHERE excluded.updated >= jobs.updated AND (excluded.status <> 'accepted' OR jobs.status = 'accepted')
"""
_MOST_OPEN = 4  # indexes that a thread keeps open, of two descriptors each: a server has many threads and tenants
_opened = threading.local()
_numbers = count()
_APART = 60.0  # seconds that the id of a job and its time may be apart: the clock may be set between the two
_BATCH = 500  # rows of a transaction when it is made anew: others wait for about 10 ms


class Index:
    """The index of one job store."""

    def __init__(self, path: Path) -> None:
        """path: on a local file system, a link to the SQLite file of its present incarnation."""
        self.path = path
        self._local = threading.local()

    def put(self, info: StatusInfo) -> None:
        """Note where a job stands; never fails."""
        self._write(_PUT, [_row(info)])

    def begin(self, job_id: str) -> None:
        """Note that a job is about to run; never fails."""
        statement = "UPDATE jobs SET status = 'running', started = ? WHERE id = ? AND status = 'accepted'"
        self._write(statement, [(time.time(), job_id)])

    def wait(self, job_id: str) -> None:
        """Note that a job did not begin after all; never fails."""
        self._write("UPDATE jobs SET status = 'accepted' WHERE id = ? AND status = 'running'", [(job_id,)])

    def delete(self, job_id: str) -> None:
        """Forget a job; never fails."""
        self._write("DELETE FROM jobs WHERE id = ?", [(job_id,)])

    def page(self, filters: Filters, limit: int, after: Row | None, now: float) -> list[Row]:
        """(created, id) of at most `limit` jobs, newest first, older than `after`. Raises sqlite3.Error."""
        query, values = newest(filters, after=after, now=now)
        return self.read(query, [*values, limit])

    def ids(self, status: Status) -> list[tuple[str, str]]:
        """(id, owner) of the jobs in this state, oldest first. Raises sqlite3.Error."""
        query = "SELECT id, owner FROM jobs WHERE status = ? ORDER BY created, id"
        return self.read(query, (status.value,))

    def ended(self, before: float, after: tuple[float, str], limit: int) -> list[tuple[float, str]]:
        """(finished, id) of jobs that ended before a time and have not expired, oldest first, after one of them.

        Raises sqlite3.Error.
        """
        query = (
            "SELECT finished, id FROM jobs WHERE expired IS NULL AND finished < ? AND (finished, id) > (?, ?)"
            " ORDER BY finished, id LIMIT ?"
        )
        return self.read(query, (before, *after, limit))

    def expired(self, before: float, limit: int) -> list[str]:
        """The ids of jobs that expired before a time. Raises sqlite3.Error."""
        query = "SELECT id FROM jobs WHERE expired < ? AND finished IS NOT NULL ORDER BY expired LIMIT ?"
        return [job_id for (job_id,) in self.read(query, (before, limit))]

    def since(self, least: str) -> set[str]:
        """The ids of its jobs from this one on: in the order of time, as far as ids are. Raises sqlite3.Error."""
        return {job_id for (job_id,) in self.read("SELECT id FROM jobs WHERE id >= ?", (least,))}

    def waiting(self, owner: str) -> tuple[int, int]:
        """How many jobs wait, and how many of them are this owner's; none where it cannot tell."""
        query = "SELECT total(jobs), total(jobs) FILTER (WHERE owner = ?) FROM waiting"
        try:
            ((of_all, of_owner),) = self.read(query, (owner,))
        except sqlite3.Error:
            return 0, 0
        return int(of_all), int(of_owner)

    def sound(self, boot_id: str) -> bool:
        """Whether it can be believed: there, of this boot, and nothing failed to be written or read."""
        try:
            return not self._stale.exists() and self.read("SELECT boot_id FROM boot") == [(boot_id,)]
        except sqlite3.Error:
            return False

    def filled(self) -> float:
        """Since when it knows all jobs that were created, while it is made anew; seconds."""
        with suppress(sqlite3.Error):
            for (since,) in self._connection().execute("SELECT min(since) FROM filled"):
                return inf if since is None else float(since)
        return inf

    def rebuild(self, infos: Iterable[StatusInfo], boot_id: str) -> None:
        """Make it anew from what the folders say; jobs may come, move and go meanwhile.

        infos: the newest shard first, so that what is asked for most is known soon.
        """
        with suppress(sqlite3.Error):  # then nothing can be written, and it stays in doubt
            self._remove_others(self._renew(instead=True))
            self._stale.unlink(missing_ok=True)
        rows = map(_row, infos)
        while batch := list(islice(rows, _BATCH)):
            self._write(_PUT, batch)
            self._write("INSERT INTO filled VALUES (?)", [(end_of_shard(str(batch[-1][0])) + _APART,)])
        self._write("INSERT INTO boot VALUES (?)", [(boot_id,)])

    def version(self) -> tuple[int, int]:
        """Another one as soon as somebody else has written, of this thread's connection. Raises sqlite3.Error."""
        ((version,),) = self.read("PRAGMA data_version")
        return self._local.held.number, version

    def close(self) -> None:
        """Let go of the file. To be called before a fork: SQLite must not be carried into a child."""
        if held := getattr(self._local, "held", None):
            held.connection.close()
        self._local.held = None

    @property
    def incarnation(self) -> str:
        """Changes whenever the index is made anew, and at no other time."""
        try:
            return os.readlink(self.path)
        except OSError:
            return ""

    @property
    def _stale(self) -> Path:
        return self.path.with_suffix(".stale")

    def read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows. What cannot be read is corrupt, and made anew by whoever looks next. Raises sqlite3.Error."""
        try:
            return list(self._connection().execute(query, values))
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                self.doubt()
            raise

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """The statement for each row, in one transaction where there are several."""
        try:
            connection = self._connection()
            if len(rows) == 1:
                connection.execute(statement, rows[0])
                return
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.executemany(statement, rows)
        except sqlite3.Error:
            self.doubt()

    def doubt(self) -> None:
        """Have it made anew by whoever looks next."""
        with suppress(OSError):
            self._stale.touch()

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection, opened again when there is a newer incarnation. Raises sqlite3.Error."""
        held: _Held | None = getattr(self._local, "held", None)
        try:
            name = os.readlink(self.path)
        except FileNotFoundError:
            name = self._renew(instead=False)
        except OSError as error:
            raise sqlite3.OperationalError(f"{self.path}: {error.strerror}") from error
        if held and held.name == name:
            return held.connection
        self.close()
        held = self._local.held = _Held(name, opened(self.path.with_name(name)))
        self._make_room()
        return held.connection

    def _make_room(self) -> None:
        """Close what this thread opened longest ago, if that is too many."""
        indexes: deque[weakref.ref[Index]] = _opened.__dict__.setdefault("indexes", deque())
        indexes.append(weakref.ref(self))
        if len(indexes) > _MOST_OPEN and (oldest := indexes.popleft()()) not in (None, self):
            oldest.close()

    def _renew(self, *, instead: bool) -> str:
        """Begin a new, empty incarnation, to which everybody turns with his next step: the name of the present one.

        One cannot be emptied or unlinked: others have it open, and SQLite keeps two more files beside it.
        instead: of whatever there is; else only where there is none.
        """
        name = f"{self.path.stem}.{os.urandom(6).hex()}.sqlite"
        try:
            if instead:
                self._go_on_in(self.path.with_name(name))
                link = self.path.with_name(f".{name}")
                os.symlink(name, link)
                os.replace(link, self.path)
            else:
                with suppress(FileExistsError):  # somebody was faster
                    os.symlink(name, self.path)
            return os.readlink(self.path)
        except OSError as error:
            raise sqlite3.OperationalError(f"{self.path}: {error.strerror}") from error

    def _go_on_in(self, path: Path) -> None:
        """Make another incarnation ready, which counts on from what the present one has counted."""
        try:
            with closing(opened(path)) as connection:
                if (before := self._history()) is not None:  # late: what has ended since may be removed since
                    tally.go_on(connection, before)
        except sqlite3.Error:  # where there is no room it is tried again and again
            for left in path.parent.glob(f"{path.name}*"):
                left.unlink(missing_ok=True)
            raise

    def _history(self) -> tally.History | None:
        try:
            return tally.history(self._connection())
        except sqlite3.Error:
            return None

    def _remove_others(self, name: str) -> None:
        """Away with what was before this incarnation."""
        for path in self.path.parent.glob(f"{self.path.stem}.*.sqlite*"):  # no tenant has a dot in its name
            if not path.name.startswith(name):
                path.unlink(missing_ok=True)


class _Held:
    """A connection of one thread, closed when the thread or the index goes. number: no other has had it."""

    def __init__(self, name: str, connection: sqlite3.Connection) -> None:
        self.name, self.connection, self.number = name, connection, next(_numbers)
        weakref.finalize(self, connection.close)  # before the collector comes to the connection itself


class Unindexed(Index):
    """For a supervisor: its moves are noted by the dispatcher, who sees it begin and end, at a fraction of the cost."""

    def put(self, info: StatusInfo) -> None:
        """Leave it to the dispatcher."""

    def delete(self, job_id: str) -> None:
        """Leave it to the dispatcher."""


def _row(info: StatusInfo) -> tuple[object, ...]:
    updated = info.updated or info.created
    begun = (info.job_id, info.created.timestamp(), info.process_id, info.owner, info.status.value)
    times = (_seconds(info.started), _seconds(info.finished), updated.timestamp(), _seconds(info.expired))
    return (*begun, *times, info.cause)


def _seconds(time: datetime | None) -> float | None:
    return time.timestamp() if time else None
