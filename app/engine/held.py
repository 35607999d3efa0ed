"""Files of a job, by descriptor: what is judged is what is kept, whoever swaps its name. A job may be hostile."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from geomill.jobstore import files
from geomill.jobstore.records import SHA2_256

Inodes = Set[tuple[int, int]]
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_DEEPEST, _LONGEST = 64, 2048  # folders in folders, bytes of a path: there is more to come in front of it


class Unpublishable(Exception):
    """A result that cannot be kept; cause: as in StatusInfo."""

    def __init__(self, message: str, cause: str = "result") -> None:
        super().__init__(message)
        self.cause = cause


@contextmanager
def held(work: Path, output_id: str, name: str, kept: Inodes, *, folder: bool = False) -> Iterator[int]:
    """What the job named, by a descriptor (O_PATH). kept: as in judge.

    It must be a regular file, or a folder, in the job's working directory, of the job's user, and not behind a link.
    """
    try:
        descriptor = _open_below(work, os.path.normpath(work / name))
    except (OSError, ValueError) as error:
        loop = isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENOTDIR)
        why = "lies behind a link, or out of the working directory" if loop else "is not there"
        raise Unpublishable(f"output {output_id!r}: there is no file {name!r}: it {why}") from None
    try:
        judge(descriptor, work, f"output {output_id!r}: {name!r}", kept, folder=folder)
        yield descriptor
    finally:
        os.close(descriptor)


def judge(descriptor: int, work: Path, name: str, kept: Inodes, *, folder: bool = False) -> os.stat_result:
    """Refuse what is no regular file (or folder) of the job's user. Raises Unpublishable.

    kept: what this job gave before, which is the server's since; another file of the server's is there by a hard link.
    """
    found = os.stat(descriptor)
    if not (stat.S_ISDIR if folder else stat.S_ISREG)(found.st_mode):
        raise Unpublishable(f"{name} is not a {'folder' if folder else 'regular file'}")
    user = work.stat().st_uid
    foreign_link = found.st_uid != user and not folder and found.st_nlink > 1 and inode(found) not in kept
    if found.st_uid not in (os.geteuid(), user) or foreign_link:
        raise Unpublishable(f"{name} belongs to somebody else")
    return found


def inode(found: os.stat_result) -> tuple[int, int]:
    """What a file is, by whatever name."""
    return found.st_dev, found.st_ino


def walk(descriptor: int, work: Path, name: str, kept: Inodes, path: str = "") -> Iterator[tuple[str, int]]:
    """(path from the folder, descriptor) of every file in a folder; the descriptor is good until the next one."""
    if path.count("/") > _DEEPEST or len(os.fsencode(path)) > _LONGEST:
        raise Unpublishable(f"{name} has folders in folders, {_DEEPEST} deep or more")
    here = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for entry in sorted(os.listdir(here)):
            found = os.open(entry, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            try:
                inner = f"{path}{entry}"
                is_folder = stat.S_ISDIR(os.stat(found).st_mode)
                judge(found, work, f"{name}: {inner!r}", kept, folder=is_folder)
                if is_folder:
                    yield from walk(found, work, name, kept, f"{inner}/")
                else:
                    yield inner, found
            finally:
                os.close(found)
    finally:
        os.close(here)


def keep(descriptor: int, target: Path) -> str:
    """Give a file its place among the outputs, and to the server alone; gives its checksum, a multihash."""
    path = f"/proc/self/fd/{descriptor}"
    folder = os.open(target.parent, _FOLDER)
    try:
        # with a folder to start from it is a linkat, which alone follows that link to the file itself
        os.link(path, target.name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:  # the job wrote it through a mount of its own
        _copy(path, target)
    finally:
        os.close(folder)
    if os.geteuid() == 0:
        os.chown(target, 0, 0)
    os.chmod(target, files.OWNER_ONLY)
    if os.geteuid() == 0 and _is_being_written(target):
        target.unlink()
        _copy(path, target)
        os.chmod(target, files.OWNER_ONLY)
    return SHA2_256 + _digest(target)


def _copy(path: str, target: Path) -> None:
    with open(path, "rb") as source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy)


def _is_being_written(path: Path) -> bool:
    """Whether anybody has a file open to write: a job of the same user could, and change what was published.

    Who has not cannot any more: the file is the server's now. A lease to read is given only where nobody writes.
    """
    with path.open("rb") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:  # or there are no leases on this disk
            return True
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False


def _digest(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_below(work: Path, path: str) -> int:
    """Open a path step by step, so that nothing in it can lead out. Raises OSError, ValueError."""
    for root in (str(work), os.path.realpath(work)):  # a job may know its folder by either name
        if path.startswith(f"{root}/"):
            *folders, name = path.removeprefix(f"{root}/").split("/")
            break
    else:
        raise OSError(errno.ELOOP, "outside")
    here = os.open(work, _FOLDER)
    try:
        for folder in folders:
            outer, here = here, os.open(folder, _FOLDER, dir_fd=here)
            os.close(outer)
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
    return found
