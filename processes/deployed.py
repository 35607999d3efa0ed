"""The processes that were deployed: a file each, which names the package that counts and those that did before it.

    <home>/<tenant>/processes/<id>.json
    <home>/packages/<digest>/  received  document.cwl  process.json      a package, written once and never changed

Nothing is remembered but what cannot change, so that all workers see the same at once.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomill.processes.packages import replace, sync
from geomill.processes.records import Limits, NoSuchProcess, Process

DOCUMENT, RECEIVED, RECORD = "document.cwl", "received", "process.json"
_SUFFIX = ".json"


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

    def list(self) -> builtins.list[Process]:
        """All of them, by id."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.folder)):
                if name.endswith(_SUFFIX) and not name.startswith("."):
                    # undeployed this moment, or harmed: that is no harm to the others
                    with contextlib.suppress(NoSuchProcess, ValueError, KeyError, TypeError, OSError):
                        found.append(self.get(name.removesuffix(_SUFFIX)))
        return found

    def get(self, process_id: str) -> Process:
        """The process with an id. Raises NoSuchProcess."""
        return self._process(process_id, self.versions(process_id)[-1])

    def versions(self, process_id: str) -> builtins.list[Version]:
        """What it was and is, oldest first. Raises NoSuchProcess."""
        try:
            kept = json.loads(self._file(process_id).read_bytes())
        except (FileNotFoundError, OSError):  # the latter: a name that no file can have
            raise NoSuchProcess(process_id) from None
        return [Version(**version) for version in kept["versions"]]

    def received(self, version: Version) -> tuple[bytes, str]:
        """What a version was deployed with, byte for byte, and its media type."""
        folder = self.packages / version.package
        return (folder / RECEIVED).read_bytes(), str(json.loads((folder / RECORD).read_bytes())["media_type"])

    def deploy(self, process_id: str, version: Version) -> Process:
        """A new process; durable when this returns. Raises DuplicatedProcess."""
        with self._changing():
            if self._file(process_id).exists():
                raise DuplicatedProcess(process_id)
            self._write(process_id, [version])
        return self._process(process_id, version)

    def replace(self, process_id: str, version: Version) -> Process:
        """Another package for a process, whose running jobs keep theirs. Raises NoSuchProcess."""
        with self._changing():
            self._write(process_id, [*self.versions(process_id), version])
        return self._process(process_id, version)

    def undeploy(self, process_id: str) -> None:
        """Take a process away; its jobs stay as they are. Raises NoSuchProcess."""
        with self._changing():
            try:
                self._file(process_id).unlink()
            except OSError:
                raise NoSuchProcess(process_id) from None
            sync(self.folder)

    def keep(self, received: bytes, document: bytes | None, record: Mapping[str, Any]) -> str:
        """Keep a package and give its digest; durable when this returns.

        received: what came; document: the CWL in it; record: {"media_type", "processes": [what describing it gave]}.
        """
        told = json.dumps(record, sort_keys=True).encode()
        digest = hashlib.sha256(b"\0".join((received, document or b"", told))).hexdigest()
        if not (self.packages / digest).exists():
            self.packages.mkdir(mode=0o700, parents=True, exist_ok=True)
            building = Path(tempfile.mkdtemp(prefix=".new-", dir=self.packages))
            for name, content in ((RECEIVED, received), (DOCUMENT, document), (RECORD, told)):
                if content is not None:
                    _create(building / name, content)
            sync(building)
            try:
                building.rename(self.packages / digest)
            except OSError:  # somebody else was faster
                shutil.rmtree(building)
            sync(self.packages)
        return digest

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
        return self.process(process_id, self._record(version)["description"], version.runner, version)

    def _record(self, version: Version) -> dict[str, Any]:
        """What describing a version gave; it never changes."""
        key = version.package, version.entry
        if key not in self._records:
            kept = json.loads((self.packages / version.package / RECORD).read_bytes())
            self._records[key] = next(each for each in kept["processes"] if each["function"] == version.entry)
        return self._records[key]

    def _file(self, process_id: str) -> Path:
        if "/" in process_id or "\0" in process_id or process_id.startswith("."):
            raise NoSuchProcess(process_id)
        return self.folder / f"{process_id}{_SUFFIX}"

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time, whichever worker makes it."""
        from filelock import FileLock  # its hook is called at every fork, and jobs need none

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            yield

    def _write(self, process_id: str, versions: builtins.list[Version]) -> None:
        content = json.dumps({"id": process_id, "versions": [dataclasses.asdict(each) for each in versions]})
        replace(self._file(process_id), content.encode(), durable=True)


def _create(path: Path, content: bytes) -> None:
    """A new file, on disk when this returns."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
