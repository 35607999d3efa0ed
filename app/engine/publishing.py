"""From work/ to outputs/: what a job gave becomes its results. Files first, then results.json, then the status."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geomill.app.engine import held
from geomill.app.engine.held import Unpublishable
from geomill.app.exchange.media_types import of_name
from geomill.jobstore import Result, files
from geomill.jobstore.records import dump

__all__ = ["Unpublishable", "interruptible", "publish"]

Copied = Callable[[list[Result]], Mapping[str, str]]
LONGEST_TIMER = 1e8  # seconds; the kernel takes no longer one
MOST = 100_000  # files of one job
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;[ -~]*)?", re.ASCII)  # RFC 9110, 8.3.1, loosely


def publish(
    folder: Path,
    results: dict[str, Any],
    *,
    durable: bool,
    most: int = 1 << 60,
    copied: Copied | None = None,
    group: int | None = None,
) -> list[Result]:
    """Move a job's files to outputs/, write results.json, and give the files.

    results: output id -> {"value", "media_type"} or {"file" (path below work/), "media_type"} or {"items": [...]} or
    {"members": {...}} or {"folder" (path below work/), "media_type", "value"}; most: bytes of all files;
    copied: copies the files to where others have them, and gives their addresses by their paths;
    group: whose members may read all of this, besides the server.
    Raises Unpublishable for a file that is missing, no regular file, or outside work/, and for too much of them.
    """
    outputs = _Outputs(folder, durable, most, group)
    content = {output_id: outputs.result(output_id, result) for output_id, result in results.items()}
    outputs.sync()
    if copied and (moved := [file for result in content.values() for file in result.files()]):
        hrefs = copied(moved)
        content = {output_id: result.placed(hrefs) for output_id, result in content.items()}
    path = folder / "results.json"
    files.write_json(path, {name: dump(result) for name, result in content.items()}, durable=False)
    _share(path, group)
    if durable:
        files.sync(path)  # by its name, which comes to the disk with it: nobody reads it before the status says so
    return [file for result in content.values() for file in result.files()]


@contextmanager
def interruptible(seconds: float, told: Callable[[], object]) -> Iterator[None]:
    """Break off what is done here when time is up, or SIGTERM comes: it raises Unpublishable. told: called then.

    In the main thread. It may be much to copy, or to read.
    """

    def late(*_: Any) -> None:
        raise Unpublishable("publishing its results took longer than the job's time limit leaves", "time-limit")

    def ended(*_: Any) -> None:
        told()
        raise Unpublishable("the supervisor was told to terminate", "terminated")

    signal.signal(signal.SIGALRM, late)
    before = signal.signal(signal.SIGTERM, ended)
    try:
        signal.setitimer(signal.ITIMER_REAL, min(seconds, LONGEST_TIMER))
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.setitimer(signal.ITIMER_REAL, 0)


@dataclass
class _Outputs:
    """What is being published."""

    job: Path
    durable: bool
    most: int
    group: int | None = None
    names: set[str] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)
    kept: set[tuple[int, int]] = field(default_factory=set)  # as in held.judge
    size: int = 0
    count: int = 0

    @property
    def place(self) -> Path:
        return self.job / "outputs"

    @property
    def work(self) -> Path:
        return self.job / "work"

    def result(self, output_id: str, result: Any) -> Result:
        """One result, its files moved."""
        items, members = (result.get("items"), result.get("members")) if isinstance(result, dict) else (None, None)
        if not isinstance(result, dict) or not isinstance(items, list | None) or not isinstance(members, dict | None):
            raise Unpublishable(f"output {output_id!r}: what the job said of it makes no sense")
        if items is not None:
            return Result(items=tuple(self.result(output_id, item) for item in items))
        if members is not None:
            return Result(members={str(name): self.result(output_id, member) for name, member in members.items()})
        media_type = _checked(output_id, result.get("media_type"))
        if "folder" in result:
            return self._folder(output_id, str(result["folder"]), media_type, result.get("value"))
        if "file" not in result:
            return Result(value=result.get("value"), media_type=media_type)
        name = _free_name(output_id, _tame(Path(str(result["file"])).name), self.names)
        with held.held(self.work, output_id, str(result["file"]), self.kept) as descriptor:
            kept = self._kept(descriptor, name, media_type)
        secondary = result.get("secondary")
        if not isinstance(secondary, list):
            return kept
        return replace(kept, secondary=tuple(self.result(output_id, each) for each in secondary))

    def _folder(self, output_id: str, path: str, media_type: str, value: Any) -> Result:
        """All files of a folder, in a folder."""
        root = _free_name(output_id, _tame(output_id), self.names)
        listing = []
        with held.held(self.work, output_id, path, self.kept, folder=True) as descriptor:
            for inner, file in held.walk(descriptor, self.work, f"output {output_id!r}", self.kept):
                name = "/".join((root, *map(_tame, inner.split("/"))))
                while name in self.names:  # two names may differ in what cannot stand in a header
                    name += "_"
                self.names.add(name)
                listing.append(self._kept(file, name, of_name(name)))
        return Result(value=value, media_type=media_type, folder=root, listing=tuple(listing))

    def _kept(self, descriptor: int, name: str, media_type: str) -> Result:
        """One file, moved."""
        size = os.stat(descriptor).st_size
        self.size, self.count = self.size + size, self.count + 1
        if self.size > self.most or self.count > MOST:
            text = f"the outputs have more than {self.most} bytes, or more than {MOST} files"
            raise Unpublishable(text, "output-limit")
        target = self.place / name
        self._made(target.parent)
        checksum = held.keep(descriptor, target)
        self.kept.add(held.inode(os.stat(descriptor)))
        _share(target, self.group)
        if self.durable:
            files.sync(target)
        return Result(file=name, media_type=media_type, size=size, checksum=checksum)

    def _made(self, folder: Path) -> None:
        if folder not in self.folders:
            if folder != self.place:
                self._made(folder.parent)
            folder.mkdir(exist_ok=True, mode=0o711)
            _share(folder, self.group)
            self.folders.add(folder)

    def sync(self) -> None:
        """Bring the names of the files to disk."""
        if self.durable:
            for folder in self.folders:
                files.sync(folder)


def _share(path: Path, group: int | None) -> None:
    """Let a group read a file, or list and enter a folder; where there is one nobody else may enter it."""
    if group is not None:
        os.chown(path, -1, group)
        os.chmod(path, 0o750 if path.is_dir() else 0o640)


def _checked(output_id: str, media_type: Any) -> str:
    if not _MEDIA_TYPE.fullmatch(str(media_type)):
        raise Unpublishable(f"output {output_id!r}: {str(media_type)!r} is no media type")
    return str(media_type)


def _tame(name: str) -> str:
    """A name that can stand in a header and leaves room for more: printable, in UTF-8, not too long."""
    readable = os.fsencode(name).decode(errors="replace")
    stem, suffix = os.path.splitext("".join(letter if letter.isprintable() else "_" for letter in readable))
    return _cut(stem, 120) + _cut(suffix, 20)


def _cut(text: str, length: int) -> str:
    """At most so many bytes of a text in UTF-8."""
    return text.encode()[:length].decode(errors="ignore")


def _free_name(output_id: str, name: str, names: set[str]) -> str:
    candidate, number = name, 1
    while candidate in names:
        first = _cut(_tame(output_id), 60)
        candidate = f"{first}-{name}" if number == 1 else f"{first}-{number}-{name}"
        number += 1
    names.add(candidate)
    return candidate
