"""Whether a store keeps its promises: a look at every job folder that changes nothing."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import files, records
from .records import StatusInfo
from .status import NoSuchJob, Status
from .store import _JOB_ID, _NEW, _OLD, ABANDONED, LOCK, JobStore, boot_id

WHOLE = "A job appears whole or not at all, and disappears whole."
REPLACED = "Files are replaced, never edited."
COMMITTED = "A reader that sees successful finds the results."
ALIVE = "A running job has a live supervisor."
SWEPT = "Nothing of a finished job is left in its scratch."
DERIVED = "The index says what the folders say."
KEYED = "An idempotency key leads to its job."


@dataclass(frozen=True)
class Finding:
    """A promise that is not kept. text: what was found at the path."""

    path: Path
    promise: str
    text: str


def check(store: JobStore) -> list[Finding]:
    """What is wrong with a store; jobs may come, move and go meanwhile."""
    findings = [finding for shard in sorted(store.jobs.iterdir()) for finding in _shard(store, shard)]
    return [*findings, *_index(store), *_keys(store)]


def _shard(store: JobStore, shard: Path) -> Iterator[Finding]:
    try:
        names = sorted(os.listdir(shard))
    except FileNotFoundError:
        return
    except NotADirectoryError:
        yield Finding(shard, WHOLE, "is no folder of jobs")
        return
    for name in names:
        path = shard / name
        if name.startswith((_NEW, _OLD)):
            if _settled(path):
                yield Finding(path, WHOLE, "was left half made" if name.startswith(_NEW) else "was left half removed")
        elif not _JOB_ID.fullmatch(name) or name[:7] != shard.name:
            yield Finding(path, WHOLE, "is not the folder of a job of this shard")
        else:
            try:
                found = list(_job(store, path))
            except OSError as error:
                found = [Finding(path, REPLACED, f"cannot be read: {error.strerror}")]
            if path.exists():  # else it was removed while we looked
                yield from found


def _job(store: JobStore, folder: Path) -> Iterator[Finding]:
    for name in ("job.json", "request.json"):
        if not (folder / name).is_file():
            yield Finding(folder / name, WHOLE, "is missing")
    for path in folder.iterdir():
        if path.name.startswith(".") and _settled(path):
            yield Finding(path, REPLACED, "was left of a file that was being replaced")
    job = info = None
    try:
        job = records.load_job(files.read_json(folder / "job.json"))
        info = store.read_status(folder.name)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        yield Finding(folder / ("status.json" if job else "job.json"), REPLACED, f"cannot be read: {error}")
    except NoSuchJob:
        yield Finding(folder / "status.json", WHOLE, "is missing")
    if job and job.job_id != folder.name:
        yield Finding(folder / "job.json", WHOLE, f"is of the job {job.job_id}")
    if info:
        yield from _state(store, folder, info)


def _state(store: JobStore, folder: Path, info: StatusInfo) -> Iterator[Finding]:
    if info.status is Status.RUNNING and store.lost(info) and store.read_status(info.job_id) == info:
        yield Finding(folder / LOCK, ALIVE, "nobody holds the lock of this running job")
    if info.status.final and (folder / "work").exists():
        yield Finding(folder / "work", SWEPT, f"is still there and the job is {info.status.value}")
    if info.status is Status.SUCCESSFUL:
        yield from _results(folder)


def _results(folder: Path) -> Iterator[Finding]:
    try:
        content = files.read_json(folder / "results.json")
        results = [records.load_result(member) for member in content.values()]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        yield Finding(folder / "results.json", COMMITTED, f"cannot be read: {error}")
        return
    for result in (file for each in results for file in each.files()):
        path = folder / "outputs" / str(result.file)
        if not path.is_file():
            yield Finding(path, COMMITTED, "is missing")
        elif path.stat().st_size != result.size:
            yield Finding(path, COMMITTED, f"has {path.stat().st_size} bytes, not {result.size}")


def _index(store: JobStore) -> Iterator[Finding]:
    """Only what stays different when looked at again, since folder and index cannot be read at one moment.

    An index that is going to be made anew before anybody believes it breaks no promise.
    """
    path, wrong = store.index.path, set()
    if not path.exists() or not store.index.sound(boot_id()):
        return
    for _ in range(2):
        try:
            known = _indexed(path)
        except sqlite3.Error as error:
            yield Finding(path, DERIVED, f"cannot be read: {error}")
            return
        there = {job_id: state for job_id in store.walk() if (state := _state_of(store, job_id))}
        differ = {job_id for job_id in known.keys() | there.keys() if known.get(job_id) != there.get(job_id)}
        wrong = {(job_id, known.get(job_id), there.get(job_id)) for job_id in differ}
    for job_id, said, is_so in sorted(wrong, key=str):
        yield Finding(path, DERIVED, f"job {job_id} is {is_so or 'not there'}, and {said or 'not there'} in the index")


def _indexed(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
        return dict(connection.execute("SELECT id, status FROM jobs"))


def _state_of(store: JobStore, job_id: str) -> str | None:
    try:
        return store.read_status(job_id).status.value
    except (NoSuchJob, ValueError, OSError):
        return None  # said elsewhere


def _keys(store: JobStore) -> Iterator[Finding]:
    for path in sorted(store._keys.iterdir()):
        job: Any = store._job_of_key(path.name)
        if job is None:
            if _settled(path):
                yield Finding(path, KEYED, "leads to no job")
        elif hashlib.sha256(f"{job.owner}\0{job.key}".encode()).hexdigest() != path.name:
            yield Finding(path, KEYED, f"leads to job {job.job_id}, which was made with another key")


def _settled(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > ABANDONED
    except FileNotFoundError:
        return False
