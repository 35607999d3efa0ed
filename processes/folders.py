"""The folders of process files, and what runs the files in them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from geomill.processes.packages import LIBRARY

HERE = Path(__file__).parent
OURS = {*LIBRARY, "deployed.py", "folders.py", "packages.py", "records.py", "registry.py"}
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
    signature: tuple[int, ...]
    siblings: int


class Folders:
    """Some folders, in the order of their rank."""

    def __init__(self, folders: Iterable[Folder]) -> None:
        """Take the folders as they stand now, should the working directory change."""
        self.folders = tuple(replace(folder, path=folder.path.absolute()) for folder in folders)
        self._settings: dict[Path, tuple[tuple[int, ...], str | Broken | None]] = {}

    def scan(self) -> tuple[list[Found], list[Broken]]:
        """The process files in all folders now, and the folders whose settings cannot be read."""
        found: list[Found] = []
        broken = []
        for folder in self.folders:
            try:
                stats = {}
                for name, stat in _python_files(folder.path):
                    if isinstance(stat, OSError):
                        broken.append(Broken(folder.path / name, f"cannot be read: {stat.strerror}"))
                    else:
                        stats[name] = stat
            except OSError as error:
                broken.append(Broken(folder.path, f"cannot be read: {error.strerror}"))
                continue
            interpreter = self._interpreter(folder, stats.pop(SETTINGS, None))
            if isinstance(interpreter, Broken):
                broken.append(interpreter)
                continue
            newest = max((stat.st_mtime_ns for stat in stats.values()), default=0)
            for name, stat in stats.items():
                if not name.startswith(("_", ".", "test_")) and not (folder.path == HERE and name in OURS):
                    found.append(Found(folder.path / name, folder, interpreter, _signature(stat), newest))
        return found, broken

    def _interpreter(self, folder: Folder, stat: os.stat_result | None) -> str | Broken | None:
        """What runs the files of a folder: its settings file says so, or the server's settings."""
        if stat is None:
            return folder.interpreter
        path, signature = folder.path / SETTINGS, _signature(stat)
        if self._settings.get(path, ((), None))[0] != signature:
            try:
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


def _python_files(folder: Path) -> Iterator[tuple[str, os.stat_result | OSError]]:
    """The names and stats of the Python files in a folder, and of its settings, by name; or why there is no stat."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in names:
        try:
            if (entry.name.endswith(".py") or entry.name == SETTINGS) and entry.is_file():
                yield entry.name, entry.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            yield entry.name, error


def _signature(stat: os.stat_result) -> tuple[int, ...]:
    """What changes when a file does."""
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino
