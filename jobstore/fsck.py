"""Whether a store keeps its promises: a look at every job folder, which changes nothing, and how to mend what it finds.

What is mended is looked at once more under its lock: jobs come, move and go meanwhile. No result is ever removed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from . import files, folders, keys, records, torn
from .alive import boot_id
from .folders import ABANDONED, GIVEN, JOB_ID, LOCK, NEW, OLD
from .listing import repair_index
from .lost import fail, is_lost
from .records import StatusInfo
from .status import InvalidTransition, JobCorrupt, JobExpired, NoSuchJob, Status
from .store import JobStore

WHOLE = "A job appears whole or not at all, and disappears whole."
REPLACED = "Files are replaced, never edited."
COMMITTED = "A reader that sees successful finds the results."
ALIVE = "A running job has a live supervisor."
SWEPT = "Nothing of a finished job is left in its scratch."
DERIVED = "The index says what the folders say."
KEYED = "An idempotency key leads to its job."


@dataclass(frozen=True)
class Finding:
    """A promise that is not kept. text: what was found at the path; what: it is about, the path if not said;

    mend: does what can be done, and says what, or raises OSError; remedy: what people have to do where there is none.
    """

    path: Path
    promise: str
    text: str
    mend: Callable[[], str] | None = field(default=None, compare=False, repr=False)
    what: str = field(default="", compare=False)
    remedy: str = field(default="look at it, and remove it if nobody needs it", compare=False)

    def __str__(self) -> str:
        return f"{self.what or self.path}: {self.text}"


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
        if name.startswith((NEW, OLD)):
            if settled(path):
                left = "was left half made" if name.startswith(NEW) else "was left half removed"
                yield Finding(path, WHOLE, left, mend=removing(path))
        elif not JOB_ID.fullmatch(name) or name[:7] != shard.name:
            yield Finding(path, WHOLE, "is not the folder of a job of this shard")
        else:
            try:
                found = list(_job(store, path))
            except OSError as error:
                found = [Finding(path, REPLACED, f"cannot be read: {error.strerror}")]
            if path.exists():  # else it was removed while we looked
                yield from (_of_job(store, path, finding) for finding in found)


def _of_job(store: JobStore, folder: Path, finding: Finding) -> Finding:
    """A finding, as people know the job, and with what they can do."""
    process_id = "a process that nobody knows any more"
    with suppress(NoSuchJob, OSError):
        process_id = store.read_status(folder.name).process_id or process_id
    what = f"job {folder.name} ({store.tenant}, {process_id})"
    place = finding.path if finding.promise == COMMITTED else folder
    return replace(finding, what=what, remedy=f"restore {place} from a backup, or remove the job (DELETE)")


def _job(store: JobStore, folder: Path) -> Iterator[Finding]:
    for path in folder.iterdir():
        if path.name.startswith(".") and settled(path):
            left = f"{path.name} was left of a file that was being replaced"
            yield Finding(path, REPLACED, left, mend=removing(path))
    with suppress(NoSuchJob, JobExpired):
        try:
            store.request(folder.name)
        except JobCorrupt as error:
            missing = isinstance(error.__cause__, FileNotFoundError)
            mend = partial(_give_up, store, folder.name, str(error.args[1]))
            waits = store.read_status(folder.name).status is Status.ACCEPTED
            yield Finding(folder, WHOLE if missing else REPLACED, str(error.args[1]), mend=mend if waits else None)
        try:
            info = folders.read_status(folder)
        except torn.UNREADABLE as error:
            mend = partial(_settle_torn, store, folder.name)
            yield Finding(folder, REPLACED, torn.what_is(folder / "status.json", error), mend=mend)
        else:
            yield from _state(store, folder, info)


def _state(store: JobStore, folder: Path, info: StatusInfo) -> Iterator[Finding]:
    if info.status is Status.RUNNING and is_lost(store, info) and store.read_status(info.job_id) == info:
        nobody = "it runs, and has no supervisor: nobody holds its lock"
        yield Finding(folder / LOCK, ALIVE, nobody, mend=partial(_end_lost, store, folder.name))
    if info.status.final and (folder / "work").exists() and store.read_status(info.job_id) == info:
        mend = partial(_clear, store, folder.name)
        yield Finding(folder / "work", SWEPT, f"its scratch is still there, and it is {info.status.value}", mend=mend)
    if info.status.final and (folder / GIVEN).exists() and store.read_status(info.job_id) == info:
        held = f"the files that it was given are still there, and it is {info.status.value}"
        yield Finding(folder / GIVEN, SWEPT, held, mend=removing(folder / GIVEN))
    if info.status is Status.SUCCESSFUL:
        unpromised = not info.durable and info.boot_id != boot_id()
        disown = partial(_disown, store, info) if unpromised else None
        found = [replace(finding, mend=disown) for finding in _results(store, folder, contents=unpromised)]
        if not store.read_status(info.job_id).expired:  # it may have, this moment
            yield from found


def _results(store: JobStore, folder: Path, *, contents: bool) -> Iterator[Finding]:
    """contents: whether files are read, too."""
    try:
        results = records.load_results(files.read_json(folder / "results.json"))
    except torn.UNREADABLE as error:
        yield Finding(folder, COMMITTED, torn.what_is(folder / "results.json", error))
        return
    for result in (file for each in results.values() for file in each.files()):
        path = folder / "outputs" / str(result.file)
        if not path.is_file():
            yield Finding(path, COMMITTED, f"output {result.file} is missing")
        elif path.stat().st_size != result.size:
            yield Finding(path, COMMITTED, f"output {result.file} has {path.stat().st_size} bytes, not {result.size}")
        elif contents and not folders.is_published(folder, result):
            yield Finding(path, COMMITTED, f"output {result.file} is not what was published")


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
            yield Finding(path, DERIVED, f"the index cannot be read: {error}", mend=partial(_make_anew, store))
            return
        there = {job_id: state for job_id in store.walk() if (state := _state_of(store, job_id))}
        differ = {job_id for job_id in known.keys() | there.keys() if known.get(job_id) != there.get(job_id)}
        wrong = {(job_id, known.get(job_id), there.get(job_id)) for job_id in differ}
    for job_id, said, is_so in sorted(wrong, key=str):
        differs = f"it is {is_so or 'not there'}, and {said or 'not there'} in the index"
        what = f"job {job_id} ({store.tenant})"
        yield Finding(path, DERIVED, differs, mend=partial(_make_anew, store), what=what)


def _indexed(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
        return dict(connection.execute("SELECT id, status FROM jobs"))


def _state_of(store: JobStore, job_id: str) -> str | None:
    try:
        return store.read_status(job_id).status.value
    except (NoSuchJob, OSError):
        return None  # said elsewhere


def _keys(store: JobStore) -> Iterator[Finding]:
    for path in sorted(store.keys.folder.iterdir()):
        if (job_id := store.keys.job_of(path.name)) is None:
            if settled(path):
                text = "an Idempotency-Key that leads to no job"
                yield Finding(path, KEYED, text, mend=partial(_forget, store, path))
        elif _name_of_key(store, job_id) not in (None, path.name):
            text = f"an Idempotency-Key that leads to job {job_id}, which was made with another"
            yield Finding(path, KEYED, text, mend=partial(_forget, store, path))


def _name_of_key(store: JobStore, job_id: str) -> str | None:
    """What the key of a job is called; None when nobody can tell."""
    with suppress(NoSuchJob, JobCorrupt, OSError):
        job = store.job(job_id)
        return keys.name_of(job.owner, job.key)
    return None


def settled(path: Path) -> bool:
    """Whether nobody is at work there any more."""
    try:
        return time.time() - path.lstat().st_mtime > ABANDONED
    except FileNotFoundError:
        return False


# ---- mending


def removing(path: Path) -> Callable[[], str]:
    """Remove what nobody is at work on."""

    def remove() -> str:
        if path.is_dir() and not path.is_symlink():
            _remove_tree(path)
        else:
            path.unlink(missing_ok=True)
        return "removed"

    return remove


def _remove_tree(folder: Path) -> None:
    """Raises OSError where that cannot be done."""
    files.remove_tree(folder)
    with suppress(FileNotFoundError):
        os.rmdir(folder)  # which says why


def _settle_torn(store: JobStore, job_id: str) -> str:
    """Write down what is said of a job whose status is torn; what was torn is kept beside it."""
    path = store.folder(job_id) / "status.json"
    with store.locks.moving(job_id):
        try:
            folders.read_status(path.parent)
        except torn.UNREADABLE:
            info = store.read_status(job_id)
        else:
            return "it can be read again"
        if not info.status.final:
            return "left it to the supervisor, who runs the job"
        _write_off(store, info)
    folders.clear(store.folder(job_id), keep=True)
    return f"the job is failed, and what was torn is {path.name}{torn.KEPT}"


def _disown(store: JobStore, found: StatusInfo) -> str:
    """Fail a synchronous job whose results did not come to the disk before the host was stopped."""
    with store.locks.moving(found.job_id):
        info = store.read_status(found.job_id)
        if info != found:
            return "the job has changed meanwhile"
        message = f"the host was stopped before the results were on disk. {torn.REMEDY}"
        _write_off(store, replace(info, status=Status.FAILED, cause=torn.CORRUPT, message=message))
    folders.clear(store.folder(found.job_id), keep=False)
    return f"the job is failed: nobody was promised its results; its status was {info.status.value}"


def _write_off(store: JobStore, info: StatusInfo) -> None:
    """Replace a status that is not true; what it was is kept beside it."""
    path = store.folder(info.job_id) / "status.json"
    with suppress(FileNotFoundError):
        os.replace(path, path.with_name(path.name + torn.KEPT))
    files.write_json(path, records.dump(info), durable=True)
    files.sync(path.parent)
    store.index.put(info)


def _give_up(store: JobStore, job_id: str, what: str) -> str:
    with suppress(InvalidTransition):
        store.move(job_id, Status.FAILED, cause=torn.CORRUPT, message=f"it could not begin: {what}")
        folders.clear(store.folder(job_id), keep=False)
        return "the job is failed: nobody can tell what was asked"
    return "left it: the job has begun"


def _end_lost(store: JobStore, job_id: str) -> str:
    info = store.read_status(job_id)
    if info.status is Status.RUNNING and is_lost(store, info):
        info = fail(store, info)
    return f"the job is {info.status.value}: {info.message}"


def _clear(store: JobStore, job_id: str) -> str:
    folders.clear(store.folder(job_id), keep=store.read_status(job_id).status is Status.FAILED)
    _remove_tree(store.folder(job_id) / "work")
    return "removed, but for what would spare a retry its time"


def _make_anew(store: JobStore) -> str:
    store.index.doubt()
    repair_index(store)
    return "the index was made anew"


def _forget(store: JobStore, path: Path) -> str:
    with store.keys.held(path.name):
        job_id = store.keys.job_of(path.name)
        if job_id is None or _name_of_key(store, job_id) not in (None, path.name):
            path.unlink(missing_ok=True)
            return "removed"
    return "it leads to its job now"
