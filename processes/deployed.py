"""The processes that were deployed: a file each, which names the package that counts and those that did before it.

    <home>/<tenant>/processes/<id>.json
    <home>/packages/<digest>/  received  document.cwl  process.json      a package, written once and never changed

Nothing is remembered for longer than the stat of a file says so, so that all workers see the same at once.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomill.processes.folders import Signature, is_settled, signature_of
from geomill.processes.packages import PASSABLE, recorded, replace, sync
from geomill.processes.records import CorruptProcess, Limits, NoSuchProcess, Process

DOCUMENT, RECEIVED, RECORD = "document.cwl", "received", "process.json"
_SUFFIX = ".json"
TORN = ".torn"  # added to the name of what cannot be read, when it is replaced
MOST_VERSIONS = 100  # of a process; those before are forgotten
REMEDY = "replace it with PUT, or undeploy it with DELETE"


class DuplicatedProcess(ValueError):
    """A process with this id is deployed already."""

    def __init__(self, process_id: str) -> None:
        super().__init__(f"There is a process {process_id!r} already: replace it with PUT, or undeploy it first.")
        self.process_id = process_id


class NoSuchVersion(LookupError):
    """A process was never deployed with this package."""


@dataclass(frozen=True)
class Version:
    """What a process was at a time. package: a digest; entry: what of the package runs; deployed: a time, RFC 3339."""

    version: str
    package: str
    entry: str
    runner: str
    deployed: str


class Deployed:
    """The deployed processes of one tenant."""

    def __init__(self, folder: Path, packages: Path, defaults: Limits | None = None) -> None:
        """folder: a file for each process; packages: where contents are kept; defaults: of what no process says."""
        self.folder, self.packages = folder, packages
        self._defaults = defaults or Limits()
        self._records: dict[tuple[str, str], dict[str, Any]] = {}
        self._read: dict[str, tuple[Signature, list[Version]]] = {}
        self._made: dict[tuple[str, Version], Process] = {}

    def list(self) -> builtins.list[Process]:
        """All of them, by id."""
        found = []
        for process_id in self.ids():
            # undeployed this moment, or harmed: that is no harm to the others
            with contextlib.suppress(NoSuchProcess, CorruptProcess, OSError):
                found.append(self.get(process_id))
        return found

    def ids(self) -> builtins.list[str]:
        """Their ids, in order, and those of harmed ones."""
        try:
            names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []
        return [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX) and not name.startswith(".")]

    def get(self, process_id: str) -> Process:
        """The process with an id. Raises NoSuchProcess, CorruptProcess."""
        return self._process(process_id, self.versions(process_id)[-1])

    def versions(self, process_id: str) -> builtins.list[Version]:
        """What it was and is, oldest first; at least one. Raises NoSuchProcess, CorruptProcess."""
        try:
            path = self._path(process_id)
            signature, read = signature_of(os.stat(path)), time.time_ns()
            if (known := self._read.get(process_id)) and known[0] == signature:
                return known[1]
            content = Path(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchProcess(process_id) from None
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
                raise NoSuchProcess(process_id) from None
            raise
        try:
            versions = _versions(content)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise CorruptProcess(process_id, f"its record is torn; {REMEDY}") from error
        if is_settled(signature, read):
            self._read[process_id] = signature, versions
        return versions

    def workflow(self, process_id: str) -> dict[str, Any] | None:
        """The steps of a process, where it is a workflow. Raises NoSuchProcess, CorruptProcess."""
        found: dict[str, Any] | None = self._record(self.versions(process_id)[-1]).get("workflow")
        return found

    def received(self, process_id: str, version: Version) -> tuple[bytes, str]:
        """What a version was deployed with, byte for byte, and its media type. Raises CorruptProcess."""
        folder = self.packages / version.package
        try:
            return (folder / RECEIVED).read_bytes(), str(json.loads((folder / RECORD).read_bytes())["media_type"])
        except (FileNotFoundError, ValueError, LookupError, TypeError) as error:
            raise CorruptProcess(process_id, f"its package {version.package} is missing or torn; {REMEDY}") from error

    def deploy(self, process_id: str, version: Version) -> Process:
        """A new process; durable when this returns. Raises DuplicatedProcess."""
        with self._changing():
            if self._file(process_id).exists():
                raise DuplicatedProcess(process_id)
            self._write(process_id, [version])
        return self._process(process_id, version)

    def replace(self, process_id: str, version: Version) -> Process:
        """Another package for a process, whose running jobs keep theirs. Raises NoSuchProcess.

        What cannot be read of it is kept beside the new record, and its versions begin anew.
        """
        with self._changing():
            try:
                before = self.versions(process_id)
            except CorruptProcess:
                before, file = [], self._file(process_id)
                replace(file.with_name(file.name + TORN), file.read_bytes(), durable=True)
            self._write(process_id, [*before, version][-MOST_VERSIONS:])
        return self._process(process_id, version)

    def undeploy(self, process_id: str) -> None:
        """Take a process away; its jobs stay as they are. Raises NoSuchProcess."""
        with self._changing():
            with contextlib.suppress(CorruptProcess, FileNotFoundError):
                for version in self.versions(process_id):  # a request may have found it this moment
                    os.utime(self.packages / version.package)
            try:
                self._file(process_id).unlink()
            except FileNotFoundError:
                raise NoSuchProcess(process_id) from None
            sync(self.folder)

    def keep(self, received: bytes, document: bytes | None, record: Mapping[str, Any]) -> str:
        """Keep a package and give its digest; durable when this returns.

        received: what came; document: the CWL in it; record: {"media_type", "processes": [what describing it gave]}.
        """
        told = json.dumps(record).encode()  # inputs and outputs have an order
        digest = _digest(received, document, told)
        self.packages.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
        with keeping(self.packages):
            self._keep(digest, received, document, told)
        sync(self.packages)  # whoever made it may not have come to that
        return digest

    def _keep(self, digest: str, received: bytes, document: bytes | None, told: bytes) -> None:
        if is_whole(self.packages / digest):
            os.utime(self.packages / digest)  # who removes what nothing needs leaves it for a day
        else:
            building = Path(tempfile.mkdtemp(prefix=".new-", dir=self.packages))
            for name, content in ((RECEIVED, received), (DOCUMENT, document), (RECORD, told)):
                if content is not None:
                    _create(building / name, content)
            sync(building)
            if (self.packages / digest).exists():  # and harmed
                aside = building.name.replace(".new-", f"{TORN}-{digest[:12]}-")
                (self.packages / digest).rename(building.with_name(aside))
            try:
                building.rename(self.packages / digest)
            except OSError:  # somebody else was faster
                shutil.rmtree(building)

    # ---- inside

    def process(
        self, process_id: str, description: Mapping[str, Any], runner: str, version: Version | None = None
    ) -> Process:
        """A process as it is, or as it would be if it were deployed, which then has no version yet."""
        return Process(
            id=process_id,
            version=version.version if version else description["version"],
            description={**description, "id": process_id},
            package=version.package if version else "",
            described=RECORD,
            path=self.packages / (version.package if version else "") / DOCUMENT,
            folder=self.folder,
            function=version.entry if version else "",
            template=runner,
            interpreter=None,
            mutable=True,
            limits=self._defaults,
            runner=runner,
        )

    def _process(self, process_id: str, version: Version) -> Process:
        key = process_id, version
        if key not in self._made:
            try:
                described = self._record(version)["description"]
            except CorruptProcess as error:
                raise CorruptProcess(process_id, f"{error.args[1]}; {REMEDY}") from None
            self._made[key] = self.process(process_id, described, version.runner, version)
        return self._made[key]

    def _record(self, version: Version) -> dict[str, Any]:
        """What describing a version gave; it never changes."""
        key = version.package, version.entry
        if key not in self._records:
            self._records[key] = recorded(self.packages, version.package, RECORD, version.entry)
        return self._records[key]

    def _file(self, process_id: str) -> Path:
        return Path(self._path(process_id))

    def _path(self, process_id: str) -> str:
        """As text, for what every request looks at. Raises NoSuchProcess for what cannot be an id."""
        if "/" in process_id or "\0" in process_id or process_id.startswith("."):
            raise NoSuchProcess(process_id)
        return f"{self.folder}/{process_id}{_SUFFIX}"

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time, whichever worker makes it."""
        from filelock import FileLock  # its hook is called at every fork, and jobs need none

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock", mode=0o600):
            yield

    def _write(self, process_id: str, versions: builtins.list[Version]) -> None:
        content = json.dumps({"id": process_id, "versions": [dataclasses.asdict(each) for each in versions]})
        replace(self._file(process_id), content.encode(), durable=True)


def keeping(folder: Path) -> AbstractContextManager[Any]:
    """The lock that something is kept in a folder of contents under, and removed."""
    from filelock import FileLock  # its hook is called at every fork, and jobs need none

    return FileLock(folder / ".lock-keeping", mode=0o600)  # which nobody else can hold


def is_whole(folder: Path) -> bool:
    """Whether a package holds what it was named after."""
    try:
        document = (folder / DOCUMENT).read_bytes() if (folder / DOCUMENT).exists() else None
        parts = (folder / RECEIVED).read_bytes(), document, (folder / RECORD).read_bytes()
    except FileNotFoundError:
        return False
    return _digest(*parts) == folder.name


def _digest(received: bytes, document: bytes | None, told: bytes) -> str:
    return hashlib.sha256(b"\0".join((received, document or b"", told))).hexdigest()


def _versions(content: bytes) -> list[Version]:
    """The versions in a process's file. Raises what reading anything else raises."""
    versions = [Version(**version) for version in json.loads(content)["versions"]]
    for member in (value for version in versions for value in vars(version).values()):
        if not isinstance(member, str):
            raise TypeError("a member of a version is no text")
    if not versions or any("/" in version.package or version.package.startswith(".") for version in versions):
        raise ValueError("there is no version, or one without a package")
    return versions


def _create(path: Path, content: bytes) -> None:
    """A new file, on disk when this returns."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
