"""Uploads: files of callers, each whole or not there at all, its owner's alone, kept for a while.

    <home>/<tenant>/uploads/<id>/       file  upload.json
                            .new-<id>/  while it is received;  .old-<id>/  while it is removed

The name of the folder is the commit: it appears by a rename when both files are on disk. Nothing in it ever changes,
so that a job can hold the file by a hard link.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from geomill.jobstore import files
from geomill.jobstore.folders import ABANDONED, NEW, OLD
from geomill.jobstore.home import HomeGone
from geomill.jobstore.records import now

FOLDER = "uploads"  # in the folder of a tenant
CONTENT, RECORD = "file", "upload.json"
ID = re.compile(r"[0-9a-f]{40}")
LOOK_EVERY = 64 << 20  # bytes received between two looks at the room on the disk


class NoSuchUpload(LookupError):
    """No upload of the caller has this id: it never was, was removed, has expired, or is another's."""

    def __str__(self) -> str:
        return f"There is no upload {self.args[0]!r} of yours; it may have expired, or been removed."


class TooManyUploads(Exception):
    """A caller keeps as many uploads as he may: TooManyUploads(how many)."""

    retry_after = 60

    def __str__(self) -> str:
        return f"You keep {self.args[0]} uploads, as many as you may; remove one (DELETE), or wait until they expire."


@dataclass(frozen=True)
class Sent:
    """A file as it arrives. name: tame, "" where none was given; pieces: its content, read once."""

    name: str
    media_type: str
    pieces: Iterable[bytes]


@dataclass(frozen=True)
class Upload:
    """upload.json: whose a file is, and what it is. size: bytes."""

    upload_id: str
    owner: str
    created: datetime
    name: str
    media_type: str
    size: int


class Uploads:
    """The uploads of a tenant."""

    def __init__(self, folder: Path, keep: float, most: int = 0) -> None:
        """folder: made with the first; keep: seconds, 0 for ever; most: uploads of one caller."""
        self.folder, self.keep, self.most = folder, keep, most

    def receive(self, owner: str, sent: Sent, check_room: Callable[[], None]) -> Upload:
        """Keep a file; on disk when this returns. check_room: raises where the disk is nearly full.

        Raises TooManyUploads, and what reading it raises; nothing of it is left then.
        """
        upload_id = _mark(owner) + secrets.token_hex(16)
        building = self.folder / (NEW + upload_id)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        building.mkdir(mode=0o700)
        try:
            self._check_count(owner)  # with this one: of two at a time, none is one too many
            size = _write(building / CONTENT, sent.pieces, check_room)
            upload = Upload(upload_id, owner, now(), sent.name, sent.media_type, size)
            content = {**vars(upload), "created": upload.created.isoformat()}
            files.create(building / RECORD, json.dumps(content).encode(), durable=True)
            files.sync(building)
            os.rename(building, self.folder / upload_id)
        except BaseException:  # also where the worker is told to end
            files.remove_tree(building)
            raise
        files.sync(self.folder)
        return upload

    def get(self, upload_id: str, owns: Callable[[str], bool]) -> Upload:
        """An upload of a caller. owns: whether what this owner has is his. Raises NoSuchUpload, also for another's."""
        upload = self._read(upload_id)
        if upload is None or self.is_over(upload) or not owns(upload.owner):
            raise NoSuchUpload(upload_id)
        return upload

    def path(self, upload: Upload) -> Path:
        """Where its content lies."""
        return self.folder / upload.upload_id / CONTENT

    def record(self, upload: Upload) -> Path:
        """Where is written what it is."""
        return self.folder / upload.upload_id / RECORD

    @contextmanager
    def reading(self, upload: Upload) -> Iterator[Path]:
        """Its content, while it is opened. Raises NoSuchUpload where it was removed this moment."""
        try:
            yield self.path(upload)
        except FileNotFoundError:
            raise NoSuchUpload(upload.upload_id) from None

    def expires(self, upload: Upload) -> datetime | None:
        """When it is going to be removed."""
        try:
            return upload.created + timedelta(seconds=self.keep) if self.keep else None
        except OverflowError:  # not in this calendar
            return None

    def is_over(self, upload: Upload) -> bool:
        """Whether it has expired, be it that it is still there."""
        expires = self.expires(upload)
        return expires is not None and now() >= expires

    def remove(self, upload_id: str) -> None:
        """Let it be there no more. Raises NoSuchUpload when somebody else was faster."""
        gone = self.folder / (OLD + upload_id)
        try:
            os.rename(self.folder / upload_id, gone)
        except FileNotFoundError:
            raise NoSuchUpload(upload_id) from None
        files.remove_tree(gone)

    # ---- for who tidies up

    def due(self) -> list[Upload]:
        """Those that have expired."""
        found = map(self._read, filter(ID.fullmatch, _names(self.folder)))
        return [upload for upload in found if upload is not None and self.is_over(upload)]

    def collect(self) -> None:
        """Remove what is left where somebody was killed while he received one, long ago, or removed one."""
        for name in _names(self.folder):
            path = self.folder / name
            if name.startswith(OLD) or (name.startswith(NEW) and is_abandoned(path)):
                files.remove_tree(path)

    def torn(self) -> list[Path]:
        """Those that cannot be read, or are not what was received."""
        found = []
        for name in filter(ID.fullmatch, _names(self.folder)):
            upload = self._read(name)
            with suppress(OSError):
                if upload is None or self.path(upload).stat().st_size != upload.size:
                    found.append(self.folder / name)
        return [path for path in found if path.exists()]  # or it was removed meanwhile

    # ---- inside

    def _read(self, upload_id: str) -> Upload | None:
        """What is written of an upload, if it is there, and whole. Raises HomeGone."""
        if not ID.fullmatch(upload_id):
            return None
        try:
            return load(self.folder / upload_id / RECORD)
        except FileNotFoundError:
            if not self.folder.parent.is_dir():
                raise HomeGone(self.folder.parents[1]) from None
            return None
        except ValueError:
            return None

    def _check_count(self, owner: str) -> None:
        """Raises TooManyUploads. One listing: whose each is, its name says."""
        mark = _mark(owner)
        if sum(name.removeprefix(NEW).startswith(mark) for name in _names(self.folder)) > self.most > 0:
            raise TooManyUploads(self.most)


def load(path: Path) -> Upload:
    """What an upload.json says. Raises FileNotFoundError, and ValueError for one that is torn."""
    found = files.read_json(path)
    try:
        return Upload(**{**found, "created": datetime.fromisoformat(found["created"])})
    except (LookupError, TypeError) as error:
        raise ValueError(f"{path} is torn") from error


def is_abandoned(path: Path) -> bool:
    """Whether nobody receives it any more: nothing was written there for long."""
    with suppress(OSError):
        latest = max(each.lstat().st_mtime for each in (path, *path.iterdir()))
        return time.time() - latest > ABANDONED
    return False


def _mark(owner: str) -> str:
    """How the ids of an owner's uploads begin, so that they can be counted; what nobody can guess comes after it."""
    return sha256(owner.encode()).hexdigest()[:8]


def _write(path: Path, pieces: Iterable[bytes], check_room: Callable[[], None]) -> int:
    """Put what arrives into a new file, on disk when this returns: its size."""
    size = looked = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, files.OWNER_ONLY)
    with open(descriptor, "wb", buffering=0) as file:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[file.write(view) or 0 :]
            size += len(piece)
            if size - looked >= LOOK_EVERY:
                looked = size
                check_room()
        os.fsync(descriptor)
    return size


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
