"""The job store: create, read, move and remove jobs; the only door to a status.

    <home>/<tenant>/jobs/<first 7 hex digits>/<jobID>/
      job.json request.json status.json given/ log results.json outputs/ pictures/ work/ logs/ events.jsonl kept/
      callbacks.jsonl
                                 pictures/: of files in outputs/, derived;
                                 given/: files that it was given beside its request, until it has ended;
                                 logs/, events.jsonl: of a job with steps; kept/: while it may be retried
    <home>/<tenant>/keys/<sha256 of owner and Idempotency-Key> -> jobID
    <home>/<tenant>/callbacks/<jobID>                 of a job that somebody has yet to hear of
    <runtime>/  <tenant>.sqlite  locks/00..ff         host-local: SQLite and flock do not belong on NFS
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from . import files, folders, keys, listing, lost, moves, records, torn
from .admission import Admission
from .alive import boot_id
from .callbacks import Callbacks
from .home import HomeGone
from .index import Index, Unindexed
from .listing import Page
from .locks import Locks
from .recalled import Recalled
from .records import Job, Result, StatusInfo
from .status import (
    IdempotencyConflict,
    InvalidTransition,
    JobCorrupt,
    JobExpired,
    JobFailed,
    NoSuchJob,
    ResultNotAvailable,
    ResultNotReady,
    Status,
)
from .walks import Filters

_PATIENCE_OF_READERS = 0.2  # seconds


class JobStore:
    """The jobs of one tenant of one home."""

    def __init__(
        self,
        home: Path,
        runtime: Path,
        tenant: str = "default",
        admission: Admission | None = None,
        *,
        make: bool = True,
    ) -> None:
        """home: where jobs live; runtime: a folder on this host, for what is derived or only locks.

        make: the folders that are not there.
        """
        self.home, self.runtime = home, runtime
        self.admission = admission or Admission()
        self.locks = Locks(runtime)
        self.recalled = Recalled()
        self._belong_to(tenant, Index)
        for folder in (self.jobs.parent, self.keys.folder, self.jobs) if make else ():
            folder.mkdir(parents=True, exist_ok=True, mode=folders.PASSABLE)

    # ---- reading: no lock, one file

    def status(self, job_id: str) -> StatusInfo:
        """Where a job stands; one that has lost its supervisor is failed. Raises NoSuchJob."""
        return self._standing(self.read_status(job_id))

    def seen(self, job_id: str) -> StatusInfo:
        """The same for who asks again and again: a file that is as it was is not read again. Raises NoSuchJob."""
        if not folders.JOB_ID.fullmatch(job_id):
            raise NoSuchJob(job_id)
        return self._standing(self.recalled.status(self, job_id))

    def _standing(self, info: StatusInfo) -> StatusInfo:
        """Where a job stands of which a status was read this moment."""
        if info.status is Status.RUNNING and lost.is_lost(self, info):
            return lost.seen(self, info, _PATIENCE_OF_READERS)
        return info

    def read_status(self, job_id: str) -> StatusInfo:
        """What status.json says, whether or not it is still so; torn.py says it when that is torn. Raises NoSuchJob."""
        try:
            return folders.read_status(folders.path_of(self.jobs, job_id))
        except NotADirectoryError:
            raise self._absent(job_id) from None
        except torn.UNREADABLE as error:
            folder = self.folder(job_id)
            if not folder.is_dir():
                raise self._absent(job_id) from None
            return torn.standing(folder, error, boot_id() if self.has_supervisor(job_id) else None)

    def calls_back(self, job_id: str) -> bool:
        """Whether somebody is told of a job, or was."""
        marked = (self.callbacks.folder / job_id).exists()
        return marked or (self.folder(job_id) / folders.CALLBACKS).exists()

    def has_supervisor(self, job_id: str) -> bool:
        """Whether somebody holds a job's lock."""
        return files.is_locked(self.folder(job_id) / folders.LOCK)

    def job(self, job_id: str) -> Job:
        """What was asked. Raises NoSuchJob, JobCorrupt."""
        with self._reading(job_id, "job.json") as folder:
            return folders.read_job(folder)

    def request(self, job_id: str) -> bytes:
        """The execute request as received. Raises NoSuchJob, JobExpired, JobCorrupt when it is not that."""
        self.check_kept(job_id)
        return self.request_of(self.job(job_id))

    def request_of(self, job: Job) -> bytes:
        """The same of a job that was just read and has not ended."""
        with self._reading(job.job_id, "request.json") as folder:
            return folders.read_request(folder, job.request_digest)

    def results(self, job_id: str) -> dict[str, Result]:
        """The outputs by id. Raises NoSuchJob, ResultNotReady, ResultNotAvailable, JobFailed, JobCorrupt."""
        return self.results_of(self.status(job_id))

    def results_of(self, info: StatusInfo) -> dict[str, Result]:
        """The same of a job whose status was just read."""
        job_id = info.job_id
        if info.expired:
            raise JobExpired(info)
        if not info.status.final:
            raise ResultNotReady(f"Job {job_id} is {info.status.value}; ask again when it is successful.")
        if info.status is Status.FAILED:
            raise JobFailed(info)
        if info.status is Status.DISMISSED:
            raise ResultNotAvailable(f"Job {job_id} was dismissed.")
        with self._reading(job_id, "results.json") as folder:
            results = records.load_results(files.read_json(folder / "results.json"))
        if not info.durable and info.boot_id != boot_id():  # nobody was promised that they came to the disk in time
            for file in (each for result in results.values() for each in result.files()):
                if not folders.is_published(folder, file):
                    raise JobCorrupt(job_id, f"its file {file.file} is not what was published")
        return results

    def output(self, job_id: str, name: str) -> Path:
        """A published file, or where one is missing. name: as in Result.file. Raises JobCorrupt for anything else."""
        return folders.output(self.folder(job_id), name)

    def log(self, job_id: str) -> Path:
        """What the job printed; the file is missing when that was nothing. Raises NoSuchJob, JobExpired."""
        self.check_kept(job_id)
        return self.folder(job_id) / "log"

    def check_kept(self, job_id: str) -> StatusInfo:
        """What status.json says of a job of which there is more than that. Raises NoSuchJob, JobExpired."""
        info = self.read_status(job_id)
        if info.expired:
            raise JobExpired(info)
        return info

    def list(self, filters: Filters, limit: int, after: str | None = None) -> Page:
        """Jobs newest first. after: the `next` of the page before. Raises BadCursor for one that is not."""
        return listing.page(self, filters, limit, after)

    def folder(self, job_id: str) -> Path:
        """Where a job with this id would be. Raises NoSuchJob for what cannot be an id."""
        return folders.place(self.jobs, job_id)

    def walk(self) -> Iterator[str]:
        """The ids of all jobs in the folders, oldest shard first."""
        return folders.walk(self.jobs)

    # ---- a job appears and disappears whole

    def create(
        self,
        job: Job,
        request: bytes,
        *,
        durable: bool = True,
        given: Mapping[str, Path] | None = None,
        callback_root: str | None = None,
    ) -> StatusInfo:
        """Accept a job. With a key that was used before: the job of that time, if its request was the same.

        durable: on disk when this returns, in three fsyncs; given: files of this disk that the job shall have until it
        has ended, by their names in its folder `given`, where they are hard links; callback_root: somebody is to
        hear of it, in documents whose addresses begin with this landing page; then it takes one fsync more.
        Raises QueueFull, TooManyJobs, StoreFull, IdempotencyConflict, GivenGone.
        """
        made = partial(self._create, job, request, durable, given or {}, callback_root)
        if job.key is None:
            return made()
        name = keys.name_of(job.owner, job.key)
        with self.keys.held(name):
            known = self.keys.job_of(name)
            if known is None:
                self.keys.lead_to(job.job_id, name)
                return made()
        with suppress(JobCorrupt):  # it may have been this request: a second job would be worse
            asked = self.job(known)
            if asked.request_digest != job.request_digest or asked.process_id != job.process_id:
                # without the job's id, which is what leads to a job of nobody in particular
                raise IdempotencyConflict(f"Idempotency-Key {job.key!r} was used for another request.")
        return self.status(known)

    def _create(
        self, job: Job, request: bytes, durable: bool, given: Mapping[str, Path], callback_root: str | None
    ) -> StatusInfo:
        self.admission.check_room(self.home)
        self.admission.check_queue(self.index, job.owner)
        info = StatusInfo(
            job.job_id, job.process_id, job.owner, job.created,
            updated=job.created, durable=durable, retry_of=job.retry_of,
        )  # fmt: skip
        if callback_root is not None:
            self.callbacks.expect(job.job_id, callback_root, durable=durable)
        folders.appear(self.folder(job.job_id), job, info, request, given)
        self.index.put(info)
        return info

    def make_durable(self, job_id: str) -> StatusInfo:
        """Promise a job that began with a synchronous client waiting. Raises NoSuchJob."""
        folder = self.folder(job_id)
        with self._moving(job_id):
            info = replace(self.read_status(job_id), durable=True)
            self.callbacks.sync(job_id)
            folders.sync_content(folder)
            folders.write_status(folder, info, durable=True)
            files.sync(folder.parent)
        return info

    def remove(self, job_id: str, match: str | None = None) -> StatusInfo:
        """Remove a finished job whole. match: only in the state of this etag.

        Raises NoSuchJob, StatusChanged, InvalidTransition when it has not finished.
        """
        folder = self.folder(job_id)
        with self._moving(job_id):
            info = self.read_status(job_id)
            moves.check_match(info, match)
            if not info.status.final:
                raise InvalidTransition(info, Status.DISMISSED)
            key = None
            with suppress(JobCorrupt):  # its key leads nowhere then, and may be used again
                key = self.job(job_id).key
            self.index.put(info)  # so that its end is counted, if nobody has come to note it yet
            gone = folders.disappear(folder)
        self.index.delete(job_id)
        self.callbacks.forget(job_id)
        if key is not None:
            self.keys.forget(keys.name_of(info.owner, key), job_id)
        files.remove_tree(gone)
        with suppress(OSError):
            folder.parent.rmdir()
        return info

    def collect(self) -> None:
        """Remove what a crash left of jobs that were being removed, or made, at that time."""
        folders.collect(self.jobs)

    # ---- the state machine

    def move(
        self, job_id: str, to: Status, *, settled: bool = True, patience: float | None = None, **changes: Any
    ) -> StatusInfo:
        """Move a job along the table. changes: other members of StatusInfo.

        settled: its results are on disk; else they are brought there, if the job was promised while they were written.
        patience: seconds to wait for who writes it, if not as usual.
        Raises NoSuchJob, StoreBusy, and InvalidTransition for the loser of a race.
        """
        folder = self.folder(job_id)
        with self._moving(job_id, patience):
            info = moves.moved(self.read_status(job_id), to, changes)
            if info.durable and not settled:
                folders.sync_content(folder)
            folders.write_status(folder, info, durable=info.durable and info.status.final)
        if info.status.final:
            folders.let_go(folder)
        self.index.put(info)
        return info

    def report(self, job_id: str, progress: int | None, message: str | None) -> None:
        """Note how far a running job is; nothing for one that is not running."""
        with self._moving(job_id):
            info = self.read_status(job_id)
            changed = moves.reported(info, progress, message)
            if changed is not info:
                folders.write_status(self.folder(job_id), changed, durable=False)

    def ask_dismissal(self, job_id: str, match: str | None = None) -> StatusInfo:
        """Dismiss an accepted job; mark a running one, whose supervisor then ends it.

        match: only in the state of this etag. A finished job is left as it is. Raises NoSuchJob, StatusChanged.
        """
        with self._moving(job_id):
            info = self.read_status(job_id)
            moves.check_match(info, match)
            changed = moves.asked_to_end(info)
            if changed is not info:
                folders.write_status(self.folder(job_id), changed, durable=changed.durable and changed.status.final)
                if changed.status.final:
                    folders.let_go(self.folder(job_id))
                    self.index.put(changed)
        return changed

    def pin(self, job_id: str, pinned: bool) -> StatusInfo:
        """Keep a job from expiring, or let it; on disk when this returns. Raises NoSuchJob, JobExpired, StoreBusy."""
        with self._moving(job_id):
            info = self.check_kept(job_id)
            if info.pinned != pinned and info.cause != torn.CORRUPT:  # a torn one never expires, and stays as it is
                info = replace(info, pinned=pinned)
                folders.write_status(self.folder(job_id), info, durable=True)
        return info

    def expire(self, job_id: str, why: str) -> StatusInfo:
        """Give up all of a finished job but its status; one that is pinned, torn or not yet left stays as it is.

        The status says so first, on disk: what a crash leaves after that is removed the next time.
        why: AGE or DISK. Raises NoSuchJob, StoreBusy.
        """
        folder = self.folder(job_id)
        with self._moving(job_id):
            info = self.read_status(job_id)
            if not moves.may_expire(info) or self.has_supervisor(job_id):
                return info
            if info.expired is None:
                info = moves.expired(info, why)
                folders.write_status(folder, info, durable=True)
        folders.give_up(folder)
        self.index.put(info)  # now there is nothing left to do
        return info

    # ---- the same for others

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

    def _belong_to(self, tenant: str, kind: type[Index]) -> None:
        """Name what is one tenant's own."""
        self.tenant = tenant
        self.jobs = self.home / tenant / "jobs"
        self.callbacks = Callbacks(self.home / tenant / "callbacks")
        self.keys = keys.Keys(self.home / tenant / "keys", self.jobs, self.locks)
        self.index = kind(self.runtime / f"{tenant}.sqlite")

    # ---- inside

    def _moving(self, job_id: str, patience: float | None = None) -> AbstractContextManager[None]:
        """The lock that a job is moved under. Raises NoSuchJob for what cannot be an id, StoreBusy."""
        return self.locks.moving(self.folder(job_id).name, patience)

    @contextmanager
    def _reading(self, job_id: str, name: str) -> Iterator[Path]:
        """A job's folder, while this file in it is read. Raises NoSuchJob, and JobCorrupt for a missing or torn one."""
        folder = self.folder(job_id)
        try:
            yield folder
        except NotADirectoryError:
            raise self._absent(job_id) from None
        except torn.UNREADABLE as error:
            if not folder.is_dir():
                raise self._absent(job_id) from None
            self.check_kept(job_id)  # it may have expired this moment
            raise JobCorrupt(job_id, torn.what_is(folder / name, error)) from error

    def _absent(self, job_id: str) -> NoSuchJob:
        """What to raise for a job that is not there. Raises HomeGone when nothing is."""
        if not self.is_there():
            raise HomeGone(self.home)
        return NoSuchJob(job_id)

    def is_there(self) -> bool:
        """Whether the home is: its disk may be gone, and come back."""
        return self.jobs.is_dir()

    def is_gone(self, job_id: str) -> bool:
        """Whether a job was removed, and not the home with it."""
        return not self.folder(job_id).exists() and self.is_there()
