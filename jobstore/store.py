"""The job store: create, read, move and remove jobs; the only door to a status.

    <home>/<tenant>/jobs/<first 7 hex digits>/<jobID>/
        job.json  request.json  status.json  log  results.json  outputs/  work/  logs/  events.jsonl  kept/
                                 logs/, events.jsonl: of a job with steps; kept/: while it may be retried
    <home>/<tenant>/keys/<sha256 of owner and Idempotency-Key> -> jobID
    <runtime>/  <tenant>.sqlite  locks/00..ff         host-local: SQLite and flock do not belong on NFS
"""

from __future__ import annotations

import base64
import builtins
import copy
import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import files, records
from .index import Filters, Index, Unindexed
from .locks import Locks
from .records import Job, Result, StatusInfo
from .status import (
    MOVES,
    BadCursor,
    IdempotencyConflict,
    InvalidTransition,
    JobFailed,
    NoSuchJob,
    QueueFull,
    ResultNotAvailable,
    ResultNotReady,
    Status,
    StatusChanged,
    StoreBusy,
    StoreFull,
)

__all__ = ["Admission", "Filters", "JobStore", "Page"]

_JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PATIENCE_OF_READERS = 0.2  # seconds
_TRIES = 4
LOCK = "job.json"  # held by a supervisor for life: it is never replaced, and a file for that alone costs an inode a job
_NEW, _OLD = ".new-", ".old-"
FINISHED, KEPT = ".steps", "kept"  # in work/: which steps are finished, and so worth keeping when the job fails
ABANDONED = 3600.0  # seconds after which a job that is not yet whole is not going to be
PASSABLE = 0o711  # a job that runs as another user can reach its work/, and list nothing on the way


@dataclass(frozen=True)
class Admission:
    """When a new job is refused. max_queued: jobs waiting; min_free: bytes and inodes left on the home's disk."""

    max_queued: int = 10_000
    min_free_bytes: int = 0
    min_free_inodes: int = 0


@dataclass(frozen=True)
class Page:
    """Part of a job list; `next` continues it and stays right while jobs arrive."""

    jobs: list[StatusInfo]
    next: str | None


class JobStore:
    """The jobs of one tenant of one home."""

    def __init__(
        self, home: Path, runtime: Path, tenant: str = "default", admission: Admission | None = None
    ) -> None:
        """home: where jobs live; runtime: a folder on this host, for what is derived or only locks."""
        self.home, self.runtime = home, runtime
        self.admission = admission or Admission()
        self._belong_to(tenant, Index)
        for folder in (self._keys, self.jobs):
            folder.mkdir(parents=True, exist_ok=True, mode=PASSABLE)
        self.locks = Locks(runtime)

    # ---- reading: no lock, one file

    def status(self, job_id: str) -> StatusInfo:
        """Where a job stands; one that has lost its supervisor is failed. Raises NoSuchJob."""
        info = self.read_status(job_id)
        if info.status is Status.RUNNING and self.lost(info):
            with suppress(StoreBusy):  # readers do not wait long for writers; the dispatcher will say so
                info = self.fail_lost(info, patience=_PATIENCE_OF_READERS)
                self.clear(job_id, keep=True)  # now that nobody else finds it running and lost
        return info

    def read_status(self, job_id: str) -> StatusInfo:
        """What status.json says, whether or not it is still so. Raises NoSuchJob, and ValueError when it is torn."""
        try:
            return records.load_status(files.read_json(self.folder(job_id) / "status.json"))
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchJob(job_id) from None

    def job(self, job_id: str) -> Job:
        """What was asked. Raises NoSuchJob."""
        try:
            return records.load_job(files.read_json(self.folder(job_id) / "job.json"))
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchJob(job_id) from None

    def request(self, job_id: str) -> bytes:
        """The execute request as received. Raises NoSuchJob."""
        try:
            return (self.folder(job_id) / "request.json").read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchJob(job_id) from None

    def results(self, job_id: str) -> dict[str, Result]:
        """The outputs by id. Raises NoSuchJob, ResultNotReady, ResultNotAvailable, JobFailed."""
        info = self.status(job_id)
        if not info.status.final:
            raise ResultNotReady(f"job {job_id} is {info.status.value}; ask again when it is successful")
        if info.status is Status.FAILED:
            raise JobFailed(info)
        if info.status is Status.DISMISSED:
            raise ResultNotAvailable(f"job {job_id} was dismissed")
        try:
            content = files.read_json(self.folder(job_id) / "results.json")
        except FileNotFoundError:
            raise NoSuchJob(job_id) from None
        return {name: records.load_result(member) for name, member in content.items()}

    def output(self, job_id: str, name: str) -> Path:
        """A published file. name: as in Result.file."""
        inside = [part for part in name.split("/") if part not in ("", ".", "..")]
        return self.folder(job_id).joinpath("outputs", *inside)

    def log(self, job_id: str) -> Path:
        """What the job printed; the file is missing when that was nothing. Raises NoSuchJob."""
        folder = self.folder(job_id)
        if not folder.is_dir():
            raise NoSuchJob(job_id)
        return folder / "log"

    def list(self, filters: Filters, limit: int, after: str | None = None) -> Page:
        """Jobs newest first. after: the `next` of the page before. Raises BadCursor for one that is not."""
        if filters.types and "process" not in filters.types:
            return Page([], None)
        begin = _decode(after) if after else None
        try:
            rows = self._rows(filters, limit + 1, begin)
        except sqlite3.Error:  # now it is known to be corrupt
            rows = self._rows(filters, limit + 1, begin)
        jobs = []
        for _, job_id in rows[:limit]:
            try:
                info = self.status(job_id)
            except NoSuchJob:
                self.index.delete(job_id)
                continue
            except (ValueError, OSError):  # one that is torn harms no other; fsck names it
                continue
            if not filters.statuses or info.status in filters.statuses:
                jobs.append(info)
        return Page(jobs, _encode(rows[limit - 1]) if len(rows) > limit else None)

    def folder(self, job_id: str) -> Path:
        """Where a job with this id would be. Raises NoSuchJob for what cannot be an id."""
        if not _JOB_ID.fullmatch(job_id):
            raise NoSuchJob(job_id)
        return self.jobs / job_id[:7] / job_id

    def walk(self) -> Iterator[str]:
        """The ids of all jobs in the folders, oldest shard first."""
        for shard in sorted(os.listdir(self.jobs)):
            with suppress(FileNotFoundError, NotADirectoryError):
                for name in os.listdir(self.jobs / shard):
                    if _JOB_ID.fullmatch(name):
                        yield name

    def clear(self, job_id: str, *, keep: bool) -> None:
        """Remove the scratch of a job that has ended. keep: not where finished steps would spare a retry their time."""
        work = self.folder(job_id) / "work"
        with suppress(OSError):
            if keep and (work / FINISHED).stat().st_size:
                work.rename(work.with_name(KEPT))
        try:
            os.rmdir(work)  # most leave nothing
        except FileNotFoundError:
            pass
        except OSError:
            files.remove_tree(work)

    # ---- a job appears and disappears whole

    def create(self, job: Job, request: bytes, *, durable: bool = True) -> StatusInfo:
        """Accept a job. With a key that was used before: the job of that time, if its request was the same.

        durable: on disk when this returns, in three fsyncs. Raises QueueFull, StoreFull, IdempotencyConflict.
        """
        if job.key is None:
            return self._create(job, request, durable)
        name = hashlib.sha256(f"{job.owner}\0{job.key}".encode()).hexdigest()
        with self.locks.key(name):
            known = self._job_of_key(name)
            if known is None:
                (self._keys / name).unlink(missing_ok=True)
                os.symlink(job.job_id, self._keys / name)
                return self._create(job, request, durable)
        if known.request_digest != job.request_digest or known.process_id != job.process_id:
            raise IdempotencyConflict(f"Idempotency-Key {job.key!r} was used for another request: job {known.job_id}")
        return self.status(known.job_id)

    def _create(self, job: Job, request: bytes, durable: bool) -> StatusInfo:
        self.check_room()
        if self.index.holds_more_than(self.admission.max_queued - 1, Status.ACCEPTED):
            raise QueueFull(self.admission.max_queued)
        folder = self.folder(job.job_id)
        building = folder.with_name(_NEW + job.job_id)
        info = StatusInfo(
            job.job_id, job.process_id, job.owner, job.created,
            updated=job.created, durable=durable, retry_of=job.retry_of,
        )  # fmt: skip
        while True:
            try:
                os.mkdir(building, PASSABLE)
                break
            except FileNotFoundError:  # the first job of a shard, or the last one was removed this moment
                folder.parent.mkdir(exist_ok=True, mode=PASSABLE)
        files.create(building / "request.json", request, durable=durable)
        # one file under two names until the first move, so that one fsync serves both
        content = json.dumps({**records.dump(job), **records.dump(info)}, separators=(",", ":")).encode()
        files.create(building / "job.json", content, durable=durable)
        os.link(building / "job.json", building / "status.json")
        os.rename(building, folder)
        if durable:
            files.sync(folder.parent)
        self.index.put(info)
        return info

    def make_durable(self, job_id: str) -> StatusInfo:
        """Promise a job that began with a synchronous client waiting. Raises NoSuchJob."""
        folder = self.folder(job_id)
        with self._moving(job_id):
            info = replace(self.read_status(job_id), durable=True)
            self._sync_content(job_id)
            files.write_json(folder / "status.json", records.dump(info), durable=True)
            files.sync(folder)
            files.sync(folder.parent)
        return info

    def remove(self, job_id: str, match: str | None = None) -> StatusInfo:
        """Remove a finished job whole. match: only in the state of this etag.

        Raises NoSuchJob, StatusChanged, InvalidTransition when it has not finished.
        """
        folder = self.folder(job_id)
        with self._moving(job_id):
            info = self.read_status(job_id)
            if match is not None and info.etag != match:
                raise StatusChanged(f"job {job_id} is {info.status.value} now")
            if not info.status.final:
                raise InvalidTransition(info, Status.DISMISSED)
            key, owner = self.job(job_id).key, info.owner
            gone = folder.with_name(_OLD + job_id)
            os.rename(folder, gone)
        self.index.delete(job_id)
        if key is not None:
            self._forget_key(hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest(), job_id)
        files.remove_tree(gone)
        with suppress(OSError):
            folder.parent.rmdir()
        return info

    def collect(self) -> None:
        """Remove what a crash left of jobs that were being removed, or made, at that time."""
        for shard in self.jobs.iterdir():
            with suppress(OSError):
                for path in shard.iterdir():
                    left = path.name.startswith(_NEW) and time.time() - path.stat().st_mtime > ABANDONED
                    if left or path.name.startswith(_OLD):
                        files.remove_tree(path)

    # ---- the state machine

    def move(
        self, job_id: str, to: Status, *, settled: bool = True, patience: float | None = None, **changes: Any
    ) -> StatusInfo:
        """Move a job along the table. changes: other members of StatusInfo.

        settled: its results are on disk; else they are brought there, if the job was promised while they were written.
        patience: seconds to wait for who writes it, if not as usual.
        Raises NoSuchJob, StoreBusy, and InvalidTransition for the loser of a race.
        """
        with self._moving(job_id, patience):
            info = self.read_status(job_id)
            if to not in MOVES[info.status]:
                raise InvalidTransition(info, to)
            if info.dismissing and to.final and to is not Status.DISMISSED:
                to, changes = Status.DISMISSED, {"message": "dismissed"}
            moment = records.now()
            changes.setdefault("finished", moment if to.final else None)
            info = replace(info, status=to, updated=moment, **changes)
            if info.durable and not settled:
                self._sync_content(job_id)
            self._write_status(info, durable=info.durable and to.final)
        self.index.put(info)
        return info

    def report(self, job_id: str, progress: int | None, message: str | None) -> None:
        """Note how far a running job is; nothing for one that is not running."""
        with self._moving(job_id):
            info = self.read_status(job_id)
            if info.status is Status.RUNNING and not info.dismissing:
                changed = replace(info, progress=progress, message=message, updated=records.now())
                self._write_status(changed, durable=False)

    def ask_dismissal(self, job_id: str, match: str | None = None) -> StatusInfo:
        """Dismiss an accepted job; mark a running one, whose supervisor then ends it.

        match: only in the state of this etag. A finished job is left as it is. Raises NoSuchJob, StatusChanged.
        """
        with self._moving(job_id):
            info = self.read_status(job_id)
            if match is not None and info.etag != match:
                raise StatusChanged(f"job {job_id} is {info.status.value} now")
            moment = records.now()
            if info.status is Status.ACCEPTED:
                info = replace(
                    info, status=Status.DISMISSED, updated=moment, finished=moment, message="dismissed before it began"
                )
                self._write_status(info, durable=info.durable)
                self.index.put(info)
            elif info.status is Status.RUNNING and not info.dismissing:
                info = replace(info, dismissing=True, updated=moment, message="being dismissed")
                self._write_status(info, durable=False)
        return info

    # ---- liveness

    def lost(self, info: StatusInfo) -> bool:
        """Whether a job that says running has no supervisor any more."""
        return info.boot_id != boot_id() or not self.has_supervisor(info.job_id)

    def has_supervisor(self, job_id: str) -> bool:
        """Whether somebody holds a job's lock."""
        return files.is_locked(self.folder(job_id) / LOCK)

    def fail_lost(self, info: StatusInfo, patience: float | None = None) -> StatusInfo:
        """Fail a job whose supervisor is gone, unless it ended properly in the meantime. Raises StoreBusy."""
        rebooted = info.boot_id != boot_id()
        message = "the host was restarted while the job ran" if rebooted else "the job's supervisor was lost"
        try:
            cause = "rebooted" if rebooted else "lost"
            return self.move(info.job_id, Status.FAILED, patience=patience, cause=cause, message=message)
        except InvalidTransition as race:
            return race.current

    # ---- the index is derived

    def repair_index(self) -> None:
        """Make the index anew when it cannot be believed. One does it, the others wait a little."""
        if self.index.sound(boot_id()):
            return
        with suppress(TimeoutError), self.locks.index(self.tenant, 5):
            if not self.index.sound(boot_id()):
                self.index.rebuild(self._all(), boot_id())

    def _catch_up(self) -> None:
        """Note what the dispatcher has not noted yet: jobs that ended this moment, or while there was none."""
        for job_id, _ in self.index.ids(Status.RUNNING):
            with suppress(NoSuchJob, ValueError, OSError):
                info = self.status(job_id)
                if info.status is not Status.RUNNING:
                    self.index.put(info)

    def unindexed(self) -> JobStore:
        """The same store for a supervisor, which leaves the index to the dispatcher."""
        store = copy.copy(self)
        store.locks = Locks(self.runtime, patience=-1)  # how a job ended has to be said, however long it takes
        store._belong_to(self.tenant, Unindexed)
        return store

    def of(self, tenant: str) -> JobStore:
        """The same store for another tenant of the home, whose folders are there; costs next to nothing."""
        if tenant == self.tenant:
            return self
        store = copy.copy(self)
        store._belong_to(tenant, type(self.index))
        return store

    def _all(self) -> Iterator[StatusInfo]:
        for job_id in self.walk():
            with suppress(NoSuchJob, ValueError, OSError):
                yield self.read_status(job_id)

    # ---- inside

    def _belong_to(self, tenant: str, kind: type[Index]) -> None:
        """Name what is one tenant's own."""
        self.tenant = tenant
        self.jobs = self.home / tenant / "jobs"
        self._keys = self.home / tenant / "keys"
        self.index = kind(self.runtime / f"{tenant}.sqlite")

    def _rows(self, filters: Filters, limit: int, after: tuple[float, str] | None) -> builtins.list[tuple[float, str]]:
        for _ in range(_TRIES):  # until what was believed is what was read
            incarnation = self.index.incarnation
            self.repair_index()
            self._catch_up()
            rows = self.index.page(filters, limit, after, time.time())
            if self.index.incarnation == incarnation:
                break
        return rows

    def _write_status(self, info: StatusInfo, *, durable: bool) -> None:
        folder = self.folder(info.job_id)
        files.write_json(folder / "status.json", records.dump(info), durable=durable)
        if durable:
            files.sync(folder)

    def _sync_content(self, job_id: str) -> None:
        """Bring to disk what a job consists of, but for its status."""
        folder = self.folder(job_id)
        for name in ("job.json", "request.json", "results.json"):
            with suppress(FileNotFoundError):
                files.sync(folder / name)
        if (folder / "outputs").is_dir():
            for place, _, names in os.walk(folder / "outputs", topdown=False):
                for name in (*names, "."):
                    files.sync(Path(place, name))

    def _moving(self, job_id: str, patience: float | None = None) -> AbstractContextManager[None]:
        """The lock that a job is moved under. Raises NoSuchJob for what cannot be an id, StoreBusy."""
        return self.locks.moving(self.folder(job_id).name, patience)

    def check_room(self) -> None:
        """Raise StoreFull where too little is left on the home's disk to begin anything."""
        limits = self.admission
        disk = os.statvfs(self.home)
        if disk.f_bavail * disk.f_frsize < limits.min_free_bytes:
            raise StoreFull(f"less than {limits.min_free_bytes} bytes are free where jobs are kept")
        if disk.f_files and disk.f_favail < limits.min_free_inodes:
            raise StoreFull(f"fewer than {limits.min_free_inodes} inodes are free where jobs are kept")

    def _job_of_key(self, name: str) -> Job | None:
        try:
            return self.job(os.readlink(self._keys / name))
        except (FileNotFoundError, NoSuchJob):
            return None

    def _forget_key(self, name: str, job_id: str) -> None:
        with self.locks.key(name), suppress(FileNotFoundError):
            if os.readlink(self._keys / name) == job_id:
                (self._keys / name).unlink()


def boot_id() -> str:
    """Names this boot of this host."""
    global _boot_id
    if _boot_id is None:
        _boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return _boot_id


_boot_id: str | None = None


def _encode(row: tuple[float, str]) -> str:
    return base64.urlsafe_b64encode(f"{row[0]!r} {row[1]}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[float, str]:
    try:
        created, job_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        return float(created), job_id
    except ValueError:
        raise BadCursor(f"cursor: {cursor!r} is none that this server gave") from None

