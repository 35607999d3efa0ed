"""Files that are replaced, never edited: a reader sees the old content or the new, whole."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

OWNER_ONLY = 0o600
_PIECE = 64 * 1024  # bytes
UMASK = 0o066  # of a server: whatever it makes is its own, and its folders can be passed where jobs are another user's


def read(path: Path | str, *, whole: bool = False) -> bytes:
    """The content of a file. whole: what one read does not fill is all of it, unlike the kernel's own files.

    Raises FileNotFoundError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a list reads hundreds, and open() takes four times as long
    try:
        pieces = [os.read(descriptor, _PIECE)]
        while len(pieces[-1]) == _PIECE if whole else pieces[-1]:
            pieces.append(os.read(descriptor, _PIECE))
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def read_json(path: Path | str) -> Any:
    """The content of a JSON file. Raises FileNotFoundError, or ValueError when it is torn."""
    content = read(path, whole=True)
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def write_json(path: Path, content: Any, *, durable: bool) -> None:
    """Replace a JSON file by a sibling; durable: its bytes are on disk before the name is."""
    write_bytes(path, json.dumps(content, separators=(",", ":")).encode(), durable=durable)


def write_bytes(path: Path, content: bytes, *, durable: bool) -> None:
    """Replace a file by a sibling; durable: its bytes are on disk before the name is."""
    sibling = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        create(sibling, content, durable=durable)
        os.replace(sibling, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == str(sibling):
            error.filename = str(path)
        with suppress(OSError):
            sibling.unlink(missing_ok=True)
        raise


def create(path: Path | str, content: bytes, *, durable: bool) -> None:
    """Write a new file, readable by its owner alone. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        if durable:
            os.fsync(descriptor)
    except OSError as error:
        error.filename = str(path)  # which one of a descriptor does not say
        raise
    finally:
        os.close(descriptor)


def sync(path: Path | str) -> None:
    """Bring a file's bytes, or a folder's names, to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Remove a folder, whatever rights its owner has taken from himself, and however deep it is; never fails."""
    with suppress(RecursionError):
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        _open_up(path)
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while names := os.listdir(top):
                for name in names:
                    _remove_level(top, name)
        finally:
            os.close(top)
        os.rmdir(path)


def _remove_level(top: int, name: str) -> None:
    """Remove an entry of a folder; folders in it are moved up before: no path is too long, and nothing recurses."""
    try:
        os.unlink(name, dir_fd=top)
        return
    except (IsADirectoryError, PermissionError):
        pass
    _open_up(name, top)
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
    try:
        for inner in os.listdir(folder):
            try:
                os.unlink(inner, dir_fd=folder)
            except (IsADirectoryError, PermissionError):
                _open_up(inner, folder)
                os.rename(inner, os.urandom(16).hex(), src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _open_up(path: Path | str, folder: int | None = None) -> None:
    """Give oneself all rights; root needs none, and must give nobody any: names may be swapped under him."""
    if os.geteuid() != 0 and not stat.S_ISLNK(os.lstat(path, dir_fd=folder).st_mode):
        os.chmod(path, 0o700, dir_fd=folder)


def is_locked(path: Path, *, kind: int = fcntl.LOCK_SH) -> bool:
    """Whether somebody holds a lock (flock) that stands against one of this kind; not where there is no file.

    A shared probe does not meet another probe. Opened anew, so that nobody's lock is let go.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
