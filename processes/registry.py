"""The processes of this server: the files in its folders, as they are now.

Nothing of a file is believed for longer than its stat says so, and no file is imported here: a child describes it.
"""

from __future__ import annotations

import builtins
import concurrent.futures
import contextlib
import copy
import dataclasses
import hashlib
import itertools
import logging
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geomill.processes.deployed import Deployed
from geomill.processes.folders import HERE, Broken, Folder, Folders, Found, is_settled
from geomill.processes.packages import SPARE, Packages, Record, is_unwritable, undescribed
from geomill.processes.records import LIMITS, CorruptProcess, Limits, NoSuchProcess, NotKnownYet, Process

__all__ = ["Broken", "CorruptProcess", "Folder", "Limits", "NoSuchProcess", "NotKnownYet", "Process", "Registry"]

log = logging.getLogger(__name__)

NAMED = re.compile(rb"\A(?:[^\n]*\n){0,4}?#\s*geomill:\s*python\s*=\s*([^\n]+?)\s*(?:\n|\Z)")
PATIENCE = 3.0  # seconds that a listing waits for new files
AGAIN = {"missing": 10.0, "late": 300.0}  # seconds after which an error that may pass is looked at again
SCARCE_AGAIN = 30.0  # seconds, at most, when the host had too little of something; twice as many after each time
SLOTS = 4  # files described at a time


@dataclass(frozen=True)
class _Known:
    """What was read from a file, and what describing it gave, if it was described."""

    signature: tuple[int, ...]
    offered: str | None
    settled: bool
    digest: str
    interpreter: str | None
    record: Record | None
    processes: tuple[Process, ...] = ()


@dataclass
class _Pending:
    """The descriptions under way in this process."""

    owner: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(SLOTS))
    futures: dict[tuple[str, str | None, Path], concurrent.futures.Future[None]] = field(default_factory=dict)


class Registry:
    """The processes that were deployed, and those in folders: the first to have an id keeps it."""

    def __init__(
        self,
        folders: Sequence[Folder],
        packages: Path,
        limit: float = 10.0,
        defaults: Limits | None = None,
    ) -> None:
        """packages: where contents are kept; limit: seconds for loading a file; defaults: of what no process says."""
        self._folders = Folders(folders)
        self._packages = Packages(packages.absolute(), limit)
        self._defaults = defaults or Limits()
        self.deployed = Deployed(packages / ".deployed", packages, self._defaults)  # a folder that is not there
        self._memo: dict[Path, _Known] = {}
        self._pending = _Pending()

    def of(self, folder: Path) -> Registry:
        """These processes, after those that are deployed in a folder."""
        registry = copy.copy(self)
        registry.deployed = Deployed(folder, self._packages.root, self._defaults)
        return registry

    def list(self) -> builtins.list[Process]:
        """All processes, the deployed ones first, then folder by folder; a new file that takes long comes later."""
        deployed = self.deployed.list()
        taken = {process.id for process in deployed}
        return deployed + [process for process in self._survey()[0] if process.id not in taken]

    def broken(self) -> builtins.list[Broken]:
        """The files that give no process, and why."""
        return self._survey()[1]

    def get(self, process_id: str) -> Process:
        """The process with an id; new files are waited for only if it is not among the others.

        Raises NoSuchProcess, NotKnownYet, and CorruptProcess for one that was deployed and harmed.
        """
        with contextlib.suppress(NoSuchProcess):
            return self.deployed.get(process_id)
        return self._in_folders(process_id)

    def _in_folders(self, process_id: str) -> Process:
        """The process that a file gives, which nobody can deploy or undeploy: of the first file that has the id.

        If it is not known yet, files that may come before it are waited for; if it is in none of these, all are.
        Raises NoSuchProcess, NotKnownYet.
        """
        found, _ = self._folders.scan()
        deadline = time.monotonic() + self._packages.limit + SPARE
        rivals = [file for file in found if _may_have(file, process_id)]
        for learnt in itertools.chain([False], self._learn_of(rivals, deadline), self._learn_of(found, deadline)):
            processes, broken = self._collect(found, remembered=learnt)  # what was there when we were asked
            first = next((process for process in processes if process.id == process_id), None)
            if first is not None and not (learnt and self._may_come_before(first, rivals)):
                return first
        if first is not None:
            return first
        if any(each.again for each in broken):
            raise NotKnownYet(process_id)
        raise NoSuchProcess(process_id, [process.id for process in (*self.deployed.list(), *processes)])

    def _may_come_before(self, process: Process, rivals: Iterable[Found]) -> bool:
        """Whether a file that is not described yet ranks before that of a process, and may give one with its id."""
        before = itertools.takewhile(lambda file: file.path != process.path, rivals)
        known = (self._memo.get(file.path) for file in before)
        return any(each is None or each.record is None for each in known)

    def _learn_of(self, files: Iterable[Found], deadline: float) -> Iterator[bool]:
        """Describe those that are new: True each time that another is known."""
        waiting = self._describe_new(files)
        while waiting and (left := deadline - time.monotonic()) > 0:
            _, waiting = concurrent.futures.wait(waiting, left, return_when=concurrent.futures.FIRST_COMPLETED)
            yield True

    def _survey(self) -> tuple[builtins.list[Process], builtins.list[Broken]]:
        found, misconfigured = self._folders.scan()
        concurrent.futures.wait(self._describe_new(found), PATIENCE)
        processes, broken = self._collect(found)
        return processes, misconfigured + broken

    def _collect(
        self, found: Sequence[Found], *, remembered: bool = False
    ) -> tuple[builtins.list[Process], builtins.list[Broken]]:
        """What is known of the files, without waiting. remembered: not whether they have changed since."""
        processes: dict[str, Process] = {}
        broken = []
        for file in found:
            known = self._memo.get(file.path) if remembered else self._known(file)
            if known is None or known.record is None:
                continue
            if "error" in known.record:
                broken.append(_broken(file, known.record))
            for process in known.processes:
                first = processes.setdefault(process.id, process)
                if first is not process:
                    broken.append(Broken(file.path, f"the id {process.id!r} is already taken by {first.path}"))
        return list(processes.values()), broken

    def _remember(self, file: Found, known: _Known) -> _Known:
        """What is known of a file from now on; its processes are made once, and are the same for as long as it is."""
        described = (known.record or {}).get("processes", ())
        processes = tuple(self._process(file, known, each) for each in described)
        self._memo[file.path] = known = dataclasses.replace(known, processes=processes)
        return known

    def _process(self, file: Found, known: _Known, described: dict[str, Any]) -> Process:
        description = described["description"]
        names = ("cpus", "memory", "max_running", "network")
        said = {name: described[name] for name in names if described[name] is not None}
        limits = dataclasses.replace(self._defaults, **said)
        return Process(
            id=description["id"],
            version=description["version"],
            description=description,
            package=known.digest,
            described=self._packages.record_name(known.interpreter, file.path),
            path=file.path,
            folder=file.folder.path,
            function=described["function"],
            template=None if known.interpreter else described["template"],
            interpreter=known.interpreter,
            mutable=False,
            limits=limits.lowered({name: described.get(told) for told, name in LIMITS.items()}),
        )

    def _known(self, file: Found) -> _Known | None:
        """What is known of a file: remembered, or read and described before; None when it has vanished."""
        known = self._memo.get(file.path)
        if known and known.settled and (known.signature, known.offered) == (file.signature, file.interpreter):
            return known
        read = time.time_ns()
        interpreter, digest, record, kept = file.interpreter, "", None, False
        try:
            content = file.path.read_bytes()
            if named := NAMED.match(content):
                interpreter = str(file.path.parent / named[1].decode(errors="replace").strip("\"'"))
            digest, kept = self._keep(content)
            record = self._packages.recall(digest, interpreter, file.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            record = Record(error=f"{type(error).__name__}: {error.strerror}", siblings=file.siblings)
        settled = kept and is_settled(file.signature, read)
        return self._remember(file, _Known(file.signature, file.interpreter, settled, digest, interpreter, record))

    def _keep(self, content: bytes) -> tuple[str, bool]:
        """The digest of a content, and whether it is kept: a disk that takes nothing now hides no process."""
        try:
            return self._packages.keep(content), True
        except OSError as error:
            if not is_unwritable(error):
                raise
            return hashlib.sha256(content).hexdigest(), False

    def _describe_new(self, found: Iterable[Found]) -> set[concurrent.futures.Future[None]]:
        """Begin to describe what is due, and give what is worth waiting for: not an error looked at once more.

        Where the host had too little of something there was no look before.
        """
        waiting = set()
        for file in found:
            known = self._known(file)
            if known and known.digest and _due(known.record, file):
                future = self._begin(file, known)
                record = known.record
                if record is None or record.get("scarce") or record.get("siblings") != file.siblings:
                    waiting.add(future)
        return waiting

    def _begin(self, file: Found, known: _Known) -> concurrent.futures.Future[None]:
        """Describe a file in the background, unless that is under way."""
        if self._pending.owner != os.getpid():  # threads do not survive a fork
            self._pending = _Pending()
        pending, key = self._pending, (known.digest, known.interpreter, file.path)
        older = known.record.get("when", 0.0) if known.record else 0.0

        def work() -> None:
            try:
                with pending.slots:
                    self._learn(file, known, self._packages.describe(*key, file.siblings, older))
            finally:
                with pending.lock:
                    pending.futures.pop(key).set_result(None)

        with pending.lock:
            if key in pending.futures:
                return pending.futures[key]
            future = pending.futures[key] = concurrent.futures.Future()
            try:
                threading.Thread(target=work, name=f"describe {file.path.name}", daemon=True).start()
            except RuntimeError as error:  # there is none to be had
                self._learn(file, known, undescribed(error, file.siblings))
                pending.futures.pop(key).set_result(None)
            return future

    def _learn(self, file: Found, known: _Known, record: Record) -> None:
        """Remember what describing a file gave, and say what is new about it."""
        before: Record = known.record or {}
        if record.get("scarce"):
            record["scarce"] = before.get("scarce", 0) + 1
        if "error" in record and record["error"] != before.get("error"):
            log.warning("%s", _broken(file, record))
        self._remember(file, dataclasses.replace(known, record=record))


def _broken(file: Found, record: Record) -> Broken:
    return Broken(file.path, record["error"], bool(record.get("scarce")))


def _may_have(file: Found, process_id: str) -> bool:
    """Whether a file may give a process with this id: those that are shipped are called as their files."""
    return file.folder.path != HERE or file.path.stem == process_id.replace("-", "_")


def _due(record: Record | None, file: Found) -> bool:
    """Whether a file is to be described: it is new, or its error may have passed."""
    if record is None or "error" not in record:
        return record is None
    age = time.time() - record.get("when", 0)
    if times := record.get("scarce"):
        return age > min(2.0**times, SCARCE_AGAIN)
    return record.get("siblings") != file.siblings or any(record.get(kind) and age > AGAIN[kind] for kind in AGAIN)
