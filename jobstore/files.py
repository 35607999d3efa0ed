"""Files that are replaced, never edited: a reader sees the old content or the new, whole."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

OWNER_ONLY = 0o600


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises FileNotFoundError, or ValueError when it is torn."""
    with open(path, "rb") as file:
        return json.loads(file.read())


def write_json(path: Path, content: Any, *, durable: bool) -> None:
    """Replace a JSON file by a sibling; durable: its bytes are on disk before the name is."""
    write_bytes(path, json.dumps(content, separators=(",", ":")).encode(), durable=durable)


def write_bytes(path: Path, content: bytes, *, durable: bool) -> None:
    """Replace a file by a sibling; durable: its bytes are on disk before the name is."""
    sibling = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        create(sibling, content, durable=durable)
        os.replace(sibling, path)
    except BaseException:
        sibling.unlink(missing_ok=True)
        raise


def create(path: Path, content: bytes, *, durable: bool) -> None:
    """Write a new file, readable by its owner alone. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Bring a file's bytes, or a folder's names, to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Remove a folder with all there is in it, whatever rights its owner has taken from himself; never fails."""
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        return
    if os.geteuid() != 0:  # root needs no rights, and must give nobody any: names may be swapped under him
        with suppress(OSError):
            os.chmod(path, 0o700)
            for folder, names, _ in os.walk(path):  # from the top, so that it can go on below
                for name in names:
                    if not os.path.islink(inner := os.path.join(folder, name)):
                        os.chmod(inner, 0o700)
    shutil.rmtree(path, ignore_errors=True)


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
