"""The folders of process files, and what runs the files in them."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from geomill.processes.packages import LIBRARY

HERE = Path(__file__).parent
OURS = {*LIBRARY, "deployed.py", "folders.py", "packages.py", "records.py", "registry.py"}
SETTLED = 50_000_000  # ns: what changed this lately may change again within the same tick of the file system's clock
NAMES_SETTLED = 2_000_000_000  # ns, of names in a folder: to list them costs little, and some clocks tick in seconds
Signature = tuple[int, ...]  # what changes when a file does; it begins with when it was written
Seen = tuple[str, Signature | OSError]  # the name of a file, and how it is, or why that cannot be said
SETTINGS = "processes.toml"  # in a folder: python = "/opt/venv/bin/python"


@dataclass(frozen=True)
class Folder:
    """A folder of process files; interpreter: what runs them, if not the server's."""

    path: Path
    interpreter: str | None = None


@dataclass(frozen=True)
class Broken:
    """A file that is no process, though it should be one, and why. again: it is tried again soon, as nobody knows."""

    path: Path
    reason: str
    again: bool = False

    def __str__(self) -> str:
        """A sentence."""
        means = "is not known yet, and is tried again" if self.again else "is no process"
        return f"{self.path} {means}: {self.reason}"


@dataclass(frozen=True)
class Found:
    """A file as a scan saw it."""

    path: Path
    folder: Folder
    interpreter: str | None
    signature: Signature
    siblings: int


class Folders:
    """Some folders, in the order of their rank."""

    def __init__(self, folders: Iterable[Folder]) -> None:
        """Take the folders as they stand now, should the working directory change."""
        self.folders = tuple(replace(folder, path=folder.path.absolute()) for folder in folders)
        self._settings: dict[Path, tuple[Signature, str | Broken | None]] = {}
        self._scanned: dict[Folder, tuple[list[Seen], list[Found]]] = {}
        self._names: dict[Path, tuple[Signature, list[str]]] = {}

    def scan(self) -> tuple[list[Found], list[Broken]]:
        """The process files in all folders now, and the folders whose settings cannot be read."""
        found: list[Found] = []
        broken = []
        for folder in self.folders:
            try:
                seen = _looked_at(folder.path, self._python_files(folder.path))
            except OSError as error:
                broken.append(Broken(folder.path, f"cannot be read: {error.strerror}"))
                continue
            before = self._scanned.get(folder)
            if before and before[0] == seen:
                found += before[1]
                continue
            files, wrong = self._files(folder, seen)
            found += files
            broken += wrong
            if not wrong:
                self._scanned[folder] = seen, files
        return found, broken

    def _files(self, folder: Folder, seen: list[Seen]) -> tuple[list[Found], list[Broken]]:
        """The process files among what was seen in a folder, and what cannot be read of it."""
        broken = [
            Broken(folder.path / name, f"cannot be read: {mark.strerror}")
            for name, mark in seen
            if isinstance(mark, OSError)
        ]
        marks = {name: mark for name, mark in seen if not isinstance(mark, OSError)}
        interpreter = self._interpreter(folder, marks.pop(SETTINGS, None))
        if isinstance(interpreter, Broken):
            return [], [*broken, interpreter]
        newest = max((mark[0] for mark in marks.values()), default=0)
        found = [
            Found(folder.path / name, folder, interpreter, mark, newest)
            for name, mark in marks.items()
            if not name.startswith(("_", ".", "test_"))
        ]
        return found, broken

    def _python_files(self, folder: Path) -> list[str]:
        """The names of the Python files of users in a folder, and of its settings, in order. Raises OSError."""
        try:
            signature = signature_of(os.stat(folder))  # of a folder it changes with the names in it
            known = self._names.get(folder)
            if known is not None and known[0] == signature:
                return known[1]
            read = time.time_ns()
            names = set(os.listdir(folder)) - (OURS if folder == HERE else set())
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = sorted(name for name in names if name.endswith(".py") or name == SETTINGS)
        if is_settled(signature, read, NAMES_SETTLED):
            self._names[folder] = signature, found
        return found

    def _interpreter(self, folder: Folder, signature: Signature | None) -> str | Broken | None:
        """What runs the files of a folder: its settings file says so, or the server's settings."""
        if signature is None:
            return folder.interpreter
        path = folder.path / SETTINGS
        if self._settings.get(path, ((), None))[0] != signature:
            try:
                import tomllib  # seldom needed, and by few

                settings = tomllib.loads(path.read_text(encoding="utf-8"))
                python = settings.pop("python", folder.interpreter)
                value = Broken(path, "python is no text") if not isinstance(python, str | None) else python
                if settings:
                    value = Broken(path, f"{next(iter(settings))} is no setting; there is only python")
                self._settings[path] = signature, str(folder.path / value) if isinstance(value, str) else value
            except FileNotFoundError:
                return folder.interpreter
            except (OSError, ValueError) as error:
                self._settings[path] = signature, Broken(path, " ".join(str(error).split()))
        return self._settings[path][1]


def _looked_at(folder: Path, names: Iterable[str]) -> list[Seen]:
    """The files in a folder that have one of these names."""
    seen: list[Seen] = []
    for name in names:
        try:
            found = os.stat(f"{folder}/{name}")
            if stat.S_ISREG(found.st_mode):
                seen.append((name, signature_of(found)))
        except FileNotFoundError:
            continue
        except OSError as error:
            seen.append((name, error))
    return seen


def signature_of(found: os.stat_result) -> Signature:
    """What changes when a file does."""
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def is_settled(signature: Signature, read: int, after: int = SETTLED) -> bool:
    """Whether what was read at a time (ns) is so for as long as the signature is. after: ns since it has changed."""
    return read - max(signature[:2]) > after
