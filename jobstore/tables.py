"""The tables of a listing index, and a connection to them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from . import tally

_BUSY_SECONDS = 0.25
_ONE_MORE = "INSERT INTO waiting VALUES (new.owner, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;"
_ONE_LESS = """
    UPDATE waiting SET jobs = jobs - 1 WHERE owner = old.owner;
    DELETE FROM waiting WHERE owner = old.owner AND jobs = 0;
"""
# how many jobs of each owner wait, counted as they come and go: every new job has to know
_WAITING = f"""
CREATE TABLE IF NOT EXISTS waiting (owner TEXT PRIMARY KEY, jobs INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS waits AFTER INSERT ON jobs
WHEN new.status = 'accepted' BEGIN {_ONE_MORE} END;
CREATE TRIGGER IF NOT EXISTS waits_again AFTER UPDATE OF status ON jobs
WHEN old.status <> 'accepted' AND new.status = 'accepted' BEGIN {_ONE_MORE} END;
CREATE TRIGGER IF NOT EXISTS waits_no_more AFTER UPDATE OF status ON jobs
WHEN old.status = 'accepted' AND new.status <> 'accepted' BEGIN {_ONE_LESS} END;
CREATE TRIGGER IF NOT EXISTS goes AFTER DELETE ON jobs
WHEN old.status = 'accepted' BEGIN {_ONE_LESS} END;
"""
# synchronous=OFF: a crash of ours cannot tear the file, and after a power cut boot_id differs and it is made anew
_SCHEMA = f"""
PRAGMA journal_mode=WAL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, created REAL NOT NULL, process TEXT NOT NULL, owner TEXT NOT NULL, status TEXT NOT NULL,
    started REAL, finished REAL, updated REAL NOT NULL, expired REAL, cause TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS newest_of_state ON jobs (status, created, id, owner, process, cause, started, finished);
CREATE INDEX IF NOT EXISTS newest_of_process ON jobs (process, status, created, id, cause, started, finished);
CREATE INDEX IF NOT EXISTS newest_of_owner ON jobs (owner, status, created, id, process, cause, started, finished);
CREATE INDEX IF NOT EXISTS by_end ON jobs (expired, finished) WHERE finished IS NOT NULL;
CREATE TABLE IF NOT EXISTS boot (boot_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS filled (since REAL NOT NULL);
{tally.SCHEMA}{_WAITING}
COMMIT;
"""


def opened(path: Path) -> sqlite3.Connection:
    """A connection to an incarnation, with its tables. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA temp_store=MEMORY")  # else what a trigger may undo is written to a file before
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
