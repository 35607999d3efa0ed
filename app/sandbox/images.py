"""The image map: what stands on this host for the container images that packages name. A TOML file of the operator's.

    ["ghcr.io/eoap/mastering-app-package/crop"]
    python = "../../.venv/bin/python"
    pythonpath = "tools/crop"

A reference matches the table of its own name, else the one of its name without tag and digest, else the first pattern.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from geomill.app.config import SettingsError

_REGISTRIES = ("docker://", "index.docker.io/", "docker.io/", "library/")  # what docker adds to a bare name, in order


@dataclass(frozen=True)
class Image:
    """What stands for an image; nothing given: the host's own system.

    python: takes the place of python, python3, python3.x; pythonpath: that of the tool's PYTHONPATH; prefix: goes in
    front of every command; rootfs: the root of the file system; path: folders that come first in PATH; environment:
    variables, unless the tool sets them itself.
    """

    python: Path | None = None
    pythonpath: tuple[Path, ...] = ()
    prefix: tuple[str, ...] = ()
    rootfs: Path | None = None
    path: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def readable(self) -> tuple[Path, ...]:
        """The folders that a tool needs to read for all this: a bin folder stands for the installation it is in."""
        programs = [*([self.python] if self.python else []), *map(Path, self.prefix[:1])]
        bins = [folder for program in programs if program.is_absolute() for folder in _links(program)]
        installed = [folder for each in (*bins, *self.path) for folder in _installation(each)]
        return tuple(dict.fromkeys([*installed, *self.pythonpath]))


class ImageMap:
    """Image reference -> Image."""

    def __init__(self, entries: Mapping[str, Image]) -> None:
        self._entries = {_normal(name): image for name, image in entries.items()}

    @classmethod
    def load(cls, file: Path | None) -> ImageMap:
        """What the file says; no file is an empty map. Raises SettingsError that names file, table and key."""
        if file is None:
            return cls({})
        import tomllib

        try:
            tables = tomllib.loads(file.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"images: {file}: {getattr(error, 'strerror', None) or error}") from error
        return cls({name: _image(file, name, table) for name, table in tables.items()})

    def find(self, reference: str) -> Image | None:
        """What stands for an image, if anything does."""
        name = _normal(reference)
        bare = _untagged(name)
        for candidate in (name, bare):
            if candidate in self._entries:
                return self._entries[candidate]
        return next((image for key, image in self._entries.items() if _matches(key, name, bare)), None)


def _links(program: Path) -> tuple[Path, Path]:
    """The folder in which a program is found, and the one in which it is."""
    return program.parent, program.resolve().parent


def _installation(folder: Path) -> tuple[Path, ...]:
    """What the programs in a folder need: all of the installation, and the base of a virtual environment."""
    root = folder.parent
    if (root / "pyvenv.cfg").is_file():
        lines = (root / "pyvenv.cfg").read_text().splitlines()
        told = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
        base = Path(told.get("home", folder))
        return root, root.resolve(), base.parent, base.resolve().parent
    return (root,) if folder.name == "bin" and (root / "lib").is_dir() else (folder,)


def _normal(name: str) -> str:
    """The same name for all spellings of a reference."""
    for registry in _REGISTRIES:
        name = name.removeprefix(registry)
    return name


def _untagged(name: str) -> str:
    name = name.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]


def _matches(pattern: str, *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _image(file: Path, name: str, table: Any) -> Image:
    """One table of the file."""
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: {name}: expected a table, found {table!r}")
    values = {}
    for key, value in table.items():
        if key not in KEYS:
            raise SettingsError(f"{file}: {name}: {key}: expected one of {', '.join(KEYS)}")
        expected, read = KEYS[key]
        try:
            values[key] = read(file.parent, value)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{file}: {name}: {key}: expected {expected}, found {value!r}") from error
    return Image(**values)


def _path(base: Path, value: Any) -> Path:
    return Path(os.path.abspath(base / os.path.expanduser(value)))


def _existing(base: Path, value: Any) -> Path:
    if not (folder := _path(base, value)).is_dir():
        raise ValueError(value)
    return folder


def _folders(base: Path, value: Any) -> tuple[Path, ...]:
    return tuple(_existing(base, each) for each in ([value] if isinstance(value, str) else value))


def _program(base: Path, value: Any) -> Path:
    program = _path(base, value)
    if not os.access(program, os.X_OK) or program.is_dir():
        raise ValueError(value)
    return program


def _rootfs(base: Path, value: Any) -> Path:
    if not os.path.lexists(_existing(base, value) / "bin/sh"):
        raise ValueError(value)
    return _path(base, value)


def _words(base: Path, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise ValueError(value)
    command = str(_program(base, value[0])) if "/" in value[0] else value[0]
    return (command, *value[1:])


def _variables(base: Path, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise ValueError(value)
    return value


KEYS: dict[str, tuple[str, Callable[[Path, Any], Any]]] = {
    "python": ("a Python interpreter", _program),
    "pythonpath": ("a folder, or a list of folders", _folders),
    "prefix": ('a list of words, such as ["conda", "run", "-n", "x"]', _words),
    "rootfs": ("a folder that can be a root, with bin/sh in it", _rootfs),
    "path": ("a folder, or a list of folders", _folders),
    "environment": ("a table of texts", _variables),
}
assert set(KEYS) == {each.name for each in fields(Image)}
