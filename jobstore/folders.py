"""The folder of one job: the names in it, how it appears, is read, tidied and disappears.

Nothing here takes a lock or knows the table of moves: that is the store's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from . import files, records
from .records import Job, Result, StatusInfo
from .status import GivenGone, JobCorrupt, NoSuchJob

LOCK = "job.json"  # held by a supervisor for life: it is never replaced, and a file for that alone costs an inode a job
LOGS = "logs"  # of the steps, written by the job itself
GIVEN = "given"  # files that the request names and that were here already, by hard links, until the job has ended
CALLBACKS = "callbacks.jsonl"  # whom it told what
FINISHED, KEPT = ".steps", "kept"  # in work/: which steps are finished, and so worth keeping when the job fails
NEW, OLD = ".new-", ".old-"  # how a folder is called before it appears, and after it has disappeared
ABANDONED = 3600.0  # seconds after which a job that is not yet whole is not going to be
PASSABLE = 0o711  # a job that runs as another user can reach its work/, and list nothing on the way
JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
Record = TypeVar("Record", Job, StatusInfo)
_OF_ACCEPTED = {"job.json", "request.json", "status.json", GIVEN, CALLBACKS}


def place(jobs: Path, job_id: str) -> Path:
    """Where a job with this id would be. Raises NoSuchJob for what cannot be an id."""
    return Path(path_of(jobs, job_id))


def path_of(jobs: Path, job_id: str) -> str:
    """The same as text, for what is done for hundreds of jobs at a time."""
    if not JOB_ID.fullmatch(job_id):
        raise NoSuchJob(job_id)
    return f"{jobs}/{job_id[:7]}/{job_id}"


def end_of_shard(job_id: str) -> float:
    """When the last job was made of those that lie where this one lies, at the latest; seconds. RFC 9562, 5.7"""
    return float((int(job_id[:7], 16) + 1 << 20) / 1000)


def walk(jobs: Path, *, newest: bool = False) -> Iterator[str]:
    """The ids of all jobs that are there, oldest shard first, or newest."""
    for shard in sorted(os.listdir(jobs), reverse=newest):
        with suppress(FileNotFoundError, NotADirectoryError):
            for name in os.listdir(jobs / shard):
                if JOB_ID.fullmatch(name):
                    yield name


# ---- it appears and disappears whole


def appear(folder: Path, job: Job, info: StatusInfo, request: bytes, given: Mapping[str, Path]) -> None:
    """Make the folder of an accepted job; on disk when this returns, if its status says durable.

    In three fsyncs, and one more where there are files. given: files that it shall have, by names of its own. Raises
    GivenGone for one that is not there any more.
    """
    building = folder.with_name(NEW + folder.name)
    try:
        _build(building, job, info, request, given)
        os.rename(building, folder)
    except (OSError, GivenGone):  # a disk that is full has no room for what is left of a job, either
        files.remove_tree(building)
        raise
    if info.durable:
        files.sync(folder.parent)


def _build(building: Path, job: Job, info: StatusInfo, request: bytes, given: Mapping[str, Path]) -> None:
    """Make the folder of a job that is not there yet."""
    while True:
        try:
            os.mkdir(building, PASSABLE)
            break
        except FileNotFoundError:  # the first job of a shard, or the last one was removed this moment
            building.parent.mkdir(exist_ok=True, mode=PASSABLE)
    files.create(f"{building}/request.json", request, durable=info.durable)
    if given:
        _hold(building / GIVEN, given)
        if info.durable:
            files.sync(building / GIVEN)
    # one file under two names until the first move, so that one fsync serves both
    content = json.dumps({**records.dump(job), **records.dump(info)}, separators=(",", ":")).encode()
    files.create(job_json := f"{building}/job.json", content, durable=False)
    os.link(job_json, f"{building}/status.json")
    if info.durable:
        files.sync(job_json)  # after the link: it brings the names of the file to disk as well


def _hold(folder: Path, given: Mapping[str, Path]) -> None:
    """Keep files, whatever becomes of the names that they have. Raises GivenGone."""
    folder.mkdir(mode=0o700)
    for name, path in given.items():
        try:
            os.link(path, folder / name)
        except FileNotFoundError:
            raise GivenGone(name) from None


def disappear(folder: Path) -> Path:
    """Let a job be there no more, on disk; what is left to be removed."""
    gone = folder.with_name(OLD + folder.name)
    os.rename(folder, gone)
    files.sync(folder.parent)  # before anything of it goes: else a part of it might come back
    return gone


def collect(jobs: Path) -> None:
    """Remove what is left where somebody was killed while he made a job, long ago, or removed one."""
    for shard in jobs.iterdir():
        with suppress(OSError):
            for path in shard.iterdir():
                left = path.name.startswith(NEW) and time.time() - path.stat().st_mtime > ABANDONED
                if left or path.name.startswith(OLD):
                    files.remove_tree(path)


# ---- its files; these raise what torn.UNREADABLE names where a file is not what it should be


def read_status(folder: Path | str) -> StatusInfo:
    """What is in its status.json."""
    return _own(folder, records.load_status(files.read_json(f"{folder}/status.json")))


def write_status(folder: Path, info: StatusInfo, *, durable: bool) -> None:
    """Replace its status.json; durable: on disk when this returns."""
    files.write_json(folder / "status.json", records.dump(info), durable=durable)
    if durable:
        files.sync(folder)


def read_job(folder: Path) -> Job:
    """What is in its job.json."""
    return _own(folder, records.load_job(files.read_json(folder / "job.json")))


def _own(folder: Path | str, found: Record) -> Record:
    """What was read in a folder. Raises ValueError where it is another job's."""
    if found.job_id != os.path.basename(folder):
        raise ValueError(f"it is of the job {found.job_id}")
    return found


def read_request(folder: Path, digest: str | None) -> bytes:
    """Its request.json as received. digest: sha256 that it was received with, if that was noted."""
    content = files.read(folder / "request.json")
    if digest not in (None, hashlib.sha256(content).hexdigest()):
        raise ValueError("it is not what was received")
    return content


def output(folder: Path, name: str) -> Path:
    """A published file, or where one is missing. name: as in Result.file. Raises JobCorrupt for anything else."""
    inside = ["outputs", *(part for part in name.split("/") if part not in ("", ".", ".."))]
    path = folder.joinpath(*inside)
    if os.path.realpath(path) != os.path.join(os.path.realpath(folder), *inside):
        raise JobCorrupt(folder.name, f"its file {name} is a link, or lies behind one")
    with suppress(FileNotFoundError, NotADirectoryError):  # one look: it may be removed the next moment
        if not stat.S_ISREG(os.lstat(path).st_mode):  # nobody waits for what a pipe may say
            raise JobCorrupt(folder.name, f"its file {name} is no file")
    return path


def is_published(folder: Path, result: Result) -> bool:
    """Whether a file of the results has the content that it was published with."""
    try:
        with open(output(folder, str(result.file)), "rb", buffering=0) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError, JobCorrupt):
        return False
    return result.checksum in (None, records.SHA2_256 + digest)


def sync_content(folder: Path) -> None:
    """Bring to disk what a job consists of, but for its status."""
    for name in ("job.json", "request.json", "results.json"):
        with suppress(FileNotFoundError):
            files.sync(folder / name)
    if (folder / GIVEN).is_dir():
        files.sync(folder / GIVEN)
    if (folder / "outputs").is_dir():
        for where, _, names in os.walk(folder / "outputs", topdown=False):
            for name in (*names, "."):
                files.sync(Path(where, name))


# ---- what is left in it


def begin_anew(folder: Path) -> None:
    """Remove what an earlier begin left of a job: the power may fail before the disk has noted that it began.

    A status that is being replaced stays: somebody may have it dismissed this moment.
    """
    for name in set(os.listdir(folder)) - _OF_ACCEPTED:
        if name.startswith(".status.json."):
            continue
        if (folder / name).is_dir():
            files.remove_tree(folder / name)
        else:
            (folder / name).unlink()


def clear(folder: Path, *, keep: bool) -> None:
    """Remove the scratch of a job that has ended, and take the logs of its steps from its user.

    keep: not where finished steps would spare a retry their time; what is kept lies where the server alone gets.
    """
    work = folder / "work"
    with suppress(OSError):
        if os.geteuid() == 0:
            os.chown(folder / LOGS, 0, 0, follow_symlinks=False)
    with suppress(OSError):
        if keep and (folder / LOGS).is_dir() and (work / FINISHED).stat().st_size:
            (folder / KEPT).mkdir(mode=0o700, exist_ok=True)
            work.rename(folder / KEPT / work.name)
    try:
        os.rmdir(work)  # most leave nothing
    except FileNotFoundError:
        pass
    except OSError:
        files.remove_tree(work)


def let_go(folder: Path) -> None:
    """Remove the files that a job was given, which it needs no more once it has ended."""
    given = folder / GIVEN
    if given.exists():
        files.remove_tree(given)


def beside_status(folder: Path) -> set[str]:
    """What in it goes when the job expires."""
    try:
        return set(os.listdir(folder)) - {LOCK, "status.json"}
    except FileNotFoundError:  # removed meanwhile
        return set()


def give_up(folder: Path) -> None:
    """Remove all but the status."""
    for name in beside_status(folder):
        try:
            os.unlink(folder / name)
        except OSError:
            files.remove_tree(folder / name)
