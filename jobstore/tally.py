"""How many jobs have begun and ended, of what and when: counted by the index itself, with the row that says so.

A trigger counts a job in the transaction in which its row comes to be of one that has ended: once, however often that
is noted, and by whom. What is removed or expires stays counted. When the index is made anew its counts go on; those
that nobody can read any more begin at 0.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .index import Index

BOUNDS = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0)  # seconds, of buckets; a further one has what takes longer
NEVER = -1  # in place of a bucket: of a job that ended before it began
OTHERS = ""  # in place of a process, where there are more than are told apart
MOST_PROCESSES = 100
MARGIN = 300.0  # seconds within which an index that misses something is made anew

Row = tuple[Any, ...]

_BUCKET = " + ".join(f"({{0}} > {bound})" for bound in BOUNDS)
_RAN, _WAITED = "max(0, new.finished - new.started)", "max(0, new.started - new.created)"
_COUNT_BEGIN = f"""
    INSERT INTO waited VALUES ({_BUCKET.format(_WAITED)}, 1, {_WAITED})
    ON CONFLICT DO UPDATE SET jobs = jobs + 1, seconds = seconds + excluded.seconds;
"""  # noqa: S608  # all of it is ours
_COUNT_END = f"""
    INSERT INTO ended VALUES (
        CASE WHEN EXISTS (SELECT 1 FROM ended WHERE process = new.process)
            OR (SELECT count(DISTINCT process) FROM ended) < {MOST_PROCESSES} THEN new.process ELSE '{OTHERS}' END,
        new.status, coalesce(new.cause, ''), coalesce({_BUCKET.format(_RAN)}, {NEVER}), 1, coalesce({_RAN}, 0))
    ON CONFLICT DO UPDATE SET jobs = jobs + 1, seconds = seconds + excluded.seconds;
"""  # noqa: S608
# what the index is filled with while it is made anew is counted where the index before had not come to it
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS ended (
    process TEXT, status TEXT, cause TEXT, bucket INTEGER, jobs INTEGER, seconds REAL,
    PRIMARY KEY (process, status, cause, bucket)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waited (bucket INTEGER PRIMARY KEY, jobs INTEGER, seconds REAL);
CREATE TABLE IF NOT EXISTS counted (id TEXT PRIMARY KEY, begun INTEGER, ended INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counting (one INTEGER PRIMARY KEY CHECK (one = 1), since REAL NOT NULL);
INSERT OR IGNORE INTO counting VALUES (1, (julianday('now') - 2440587.5) * 86400.0);
CREATE TRIGGER IF NOT EXISTS begins AFTER UPDATE OF started ON jobs
WHEN old.started IS NULL AND new.started IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM counted WHERE id = new.id AND begun) BEGIN {_COUNT_BEGIN} END;
CREATE TRIGGER IF NOT EXISTS ends AFTER UPDATE OF finished ON jobs
WHEN old.finished IS NULL AND new.finished IS NOT NULL BEGIN {_COUNT_END} END;
CREATE TRIGGER IF NOT EXISTS had_begun AFTER INSERT ON jobs
WHEN NOT EXISTS (SELECT 1 FROM boot) AND new.started >= (SELECT since FROM counting)
    AND NOT EXISTS (SELECT 1 FROM counted WHERE id = new.id AND begun) BEGIN
    {_COUNT_BEGIN}
    INSERT INTO counted VALUES (new.id, 1, 0) ON CONFLICT DO UPDATE SET begun = 1;
END;
CREATE TRIGGER IF NOT EXISTS had_ended AFTER INSERT ON jobs
WHEN NOT EXISTS (SELECT 1 FROM boot) AND new.finished >= (SELECT since FROM counting)
    AND NOT EXISTS (SELECT 1 FROM counted WHERE id = new.id AND ended) BEGIN
    {_COUNT_END}
    INSERT INTO counted VALUES (new.id, 0, 1) ON CONFLICT DO UPDATE SET ended = 1;
END;
"""  # noqa: S608
# what was known to be counted before stays so while the index is not yet filled, and of jobs that go on
_COUNTED = """
SELECT id, max(begun), max(ended) FROM (
    SELECT id, started IS NOT NULL AS begun, finished IS NOT NULL AS ended FROM jobs
    WHERE finished >= ? OR (finished IS NULL AND started IS NOT NULL)
    UNION ALL SELECT id, begun, ended FROM counted WHERE NOT EXISTS (SELECT 1 FROM boot)
        OR EXISTS (SELECT 1 FROM jobs WHERE jobs.id = counted.id AND finished IS NULL)
) GROUP BY id
"""


@dataclass(frozen=True)
class Tally:
    """What an index has counted, and how many jobs wait and run now.

    ended: (process, status, cause, bucket, jobs, seconds that they ran); waited: (bucket, jobs, seconds), of those that
    began; bucket: as many of BOUNDS as it took longer, or NEVER; oldest: when the first that waits was created.
    """

    ended: Sequence[Row]
    waited: Sequence[Row]
    accepted: int
    running: int
    oldest: float | None


@dataclass(frozen=True)
class History:
    """What the next incarnation of an index goes on with.

    counted: (id, whether it has begun, and ended) of the jobs that have begun, and of those that have ended since.
    """

    since: float
    ended: Sequence[Row]
    waited: Sequence[Row]
    counted: Sequence[Row]


def read(index: Index) -> Tally:
    """What it says now. Raises sqlite3.Error."""
    unfinished = "SELECT count(*), min(created) FROM jobs WHERE status = ?"
    ((accepted, oldest),) = index.read(unfinished, ["accepted"])
    ((running, _),) = index.read(unfinished, ["running"])
    return Tally(index.read("SELECT * FROM ended"), index.read("SELECT * FROM waited"), accepted, running, oldest)


def history(connection: sqlite3.Connection) -> History | None:
    """What was counted until now, at one moment; None where nobody can read it."""
    try:
        connection.execute("BEGIN")
        with connection:
            ((since,),) = connection.execute("SELECT since FROM counting")
            since = max(since, time.time() - MARGIN)
            return History(
                since,
                list(connection.execute("SELECT * FROM ended")),
                list(connection.execute("SELECT * FROM waited")),
                list(connection.execute(_COUNTED, [since])),
            )
    except (sqlite3.Error, ValueError):  # no row is no history, either
        return None


def go_on(connection: sqlite3.Connection, before: History) -> None:
    """Let a new index that nobody else has begun to use go on counting. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.execute("UPDATE counting SET since = ?", [before.since])
        connection.executemany("INSERT INTO ended VALUES (?, ?, ?, ?, ?, ?)", before.ended)
        connection.executemany("INSERT INTO waited VALUES (?, ?, ?)", before.waited)
        connection.executemany("INSERT INTO counted VALUES (?, ?, ?)", before.counted)
