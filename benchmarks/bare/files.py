"""What a job leaves on disk, made without a server: the same files, the same fsyncs."""

from __future__ import annotations

import itertools
import os
from pathlib import Path


class Bare:
    """The files of jobs, and no more than that."""

    def __init__(self, folder: Path) -> None:
        """folder: on the same file system as the home."""
        self.shard, self._numbers = folder / "shard", itertools.count()
        self.shard.mkdir(parents=True)

    def create(self, request: bytes = b"x" * 36) -> Path:
        """What JobStore.create does to the disk: a folder with two files and a link, in three fsyncs."""
        number = next(self._numbers)
        building, folder = self.shard / f".new-{number}", self.shard / str(number)
        building.mkdir()
        write(building / "request.json", request)
        write(building / "job.json", b"x" * 900, durable=False)
        os.link(building / "job.json", building / "status.json")
        sync(building / "job.json")
        os.rename(building, folder)
        sync(self.shard)
        return folder


def begin(folder: Path) -> None:
    """What the begin of a job does to the disk: another status, a log, a folder to work in."""
    replace(folder / "status.json", b"x" * 400, durable=False)
    write(folder / "log", b"", durable=False)
    (folder / "work").mkdir()


def end(folder: Path) -> None:
    """What the end of a job that gives a value does to the disk: results, then the last status; three fsyncs."""
    replace(folder / "results.json", b"x" * 80)
    (folder / "work").rmdir()
    (folder / "log").unlink()
    replace(folder / "status.json", b"x" * 500)
    sync(folder)


def replace(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file by a sibling."""
    sibling = path.with_name(f".{path.name}")
    write(sibling, content, durable=durable)
    os.replace(sibling, path)


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a new file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.write(descriptor, content)
    if durable:
        os.fsync(descriptor)
    os.close(descriptor)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.fsync(descriptor)
    os.close(descriptor)
