"""A copy of a home that is in use, as a tar: every job that was accepted before it began is in it, whole.

A job is held by hard links while it is copied: what is replaced or removed meanwhile is copied as it was. Its status is
looked at before and after; if it has changed, the job is taken once more. Packages come before the jobs that need them,
and those that came since come after them. Uploads are not in it: they are not kept long, and a job that waits holds
what it needs of them.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from geomill.app import tenant_names
from geomill.app.uploads.store import FOLDER as UPLOADS
from geomill.jobstore import JobStore, NoSuchJob, files, pictures
from geomill.jobstore.home import FORMAT, MARK

HELD = ".backup-"  # what a folder of links in the home is called
PACKAGES = "packages"
# what a home does not take along: who serves it, and what is being made
_NOT_OURS = {MARK, "runtime", "maintenance"}
_OF_ENDED = ("outputs", "results.json")
_NEVER = ("work", pictures.FOLDER)
_UNWRITABLE = {errno.EROFS, errno.ENOSPC, errno.EDQUOT}


class Changing(Exception):
    """A job changed again and again while it was to be copied; try again."""


@dataclass
class Backup:
    """A backup while it is written; jobs: those in it."""

    store: JobStore
    tar: tarfile.TarFile
    jobs: int = 0
    processes: int = 0
    _packages: set[str] = field(default_factory=set)
    _made: set[Path] = field(default_factory=set)

    def write(self) -> None:
        """All of the home. Raises Changing, OSError."""
        home = self.store.home
        self._text(MARK, json.dumps({"format": FORMAT}).encode())
        tenants = tenant_names.at_work(home)
        begun = {name: list(self.store.of(name).walk()) for name in tenants}
        self._take_packages()
        for name in tenants:
            self._take_tenant(self.store.of(name), begun[name])
        self._take_packages()
        for name in sorted(os.listdir(home)):
            if name not in {*_NOT_OURS, PACKAGES, *tenants} and not name.startswith("."):
                self._tree(home / name, name)

    def _take_tenant(self, store: JobStore, begun: list[str]) -> None:
        for folder in (store.jobs, store.keys.folder):
            self._above(folder / "any")
        there = set()
        with self._holding() as place:
            for job_id in begun:
                if self._take_job(store, job_id, place):
                    there.add(job_id)
        self.jobs += len(there)
        for path in sorted(store.keys.folder.iterdir()):
            if store.keys.job_of(path.name) in there:
                self._entry(path, str(path.relative_to(store.home)))
        processes = store.home / store.tenant / "processes"
        for name in sorted(os.listdir(processes.parent)):  # these, the credentials, and whatever else there is
            if name not in (store.jobs.name, store.keys.folder.name, UPLOADS) and not name.startswith("."):
                self._tree(processes.parent / name, f"{store.tenant}/{name}")
        self.processes += len(list(processes.glob("[!.]*.json")))

    def _take_job(self, store: JobStore, job_id: str, place: Path | None) -> bool:
        """Whether the job is there; it may be removed at any time, and then is left out."""
        try:
            return self._take_held(store, job_id, place) if place else self._take_as_it_is(store, job_id)
        except OSError as error:
            if error.errno not in _UNWRITABLE or not place or error.filename is None:
                raise
        return self._take_as_it_is(store, job_id)

    def _take_as_it_is(self, store: JobStore, job_id: str) -> bool:
        """The same, where the disk takes no links: then hardly anything can change, and nothing may."""
        folder = store.folder(job_id)
        try:
            before = store.read_status(job_id)
        except NoSuchJob:
            return False
        self._above(folder)
        without = _NEVER if before.status.final else (*_NEVER, *_OF_ENDED)
        self._tree(folder, str(folder.relative_to(store.home)), without=without)
        with suppress(NoSuchJob):
            if store.read_status(job_id).status is before.status:
                return True
        raise Changing(f"job {job_id} has changed while it was copied; try again")

    def _take_held(self, store: JobStore, job_id: str, place: Path) -> bool:
        """The same, by links that hold the job as it was."""
        for _ in range(20):
            held = place / job_id
            held.mkdir(mode=0o700)
            try:
                before = store.read_status(job_id)
                _hold(store.folder(job_id), held, without=_NEVER if before.status.final else (*_NEVER, *_OF_ENDED))
                if store.read_status(job_id).status is before.status:
                    folder = store.folder(job_id)
                    self._above(folder)
                    self._tree(held, str(folder.relative_to(store.home)), like=folder)
                    return True
            except (NoSuchJob, FileNotFoundError):
                if not store.folder(job_id).exists():
                    return False
            finally:
                files.remove_tree(held)
        raise Changing(f"job {job_id} changes all the time; try again")

    def _take_packages(self) -> None:
        """Those that are not in it yet."""
        root = self.store.home / PACKAGES
        for name in sorted(os.listdir(root)) if root.is_dir() else ():
            if name not in self._packages and not name.startswith("."):
                self._packages.add(name)
                self._above(root / name)
                self._tree(root / name, f"{PACKAGES}/{name}")

    # ---- entries of the tar

    def _above(self, path: Path) -> None:
        """The folders that a path is in, each once, with their rights."""
        for folder in reversed(path.relative_to(self.store.home).parents[:-1]):
            if folder not in self._made:
                self._made.add(folder)
                self._entry(self.store.home / folder, str(folder))

    def _tree(self, path: Path, name: str, like: Path | None = None, without: tuple[str, ...] = ()) -> None:
        """A folder or a file, and what is in it; what vanishes meanwhile is left out.

        like: whose rights it has; without: names in it.
        """
        self._entry(path, name, like)
        if path.is_dir() and not path.is_symlink():
            with suppress(FileNotFoundError):
                for inner in sorted(os.listdir(path)):
                    if not inner.startswith((".new-", ".lock", ".fetched-")) and inner not in without:
                        self._tree(path / inner, f"{name}/{inner}")

    def _entry(self, path: Path, name: str, like: Path | None = None) -> None:
        """One entry; of a file that grows, what there is now."""
        with suppress(FileNotFoundError):
            found = os.lstat(like or path)
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = stat.S_IMODE(found.st_mode), found.st_mtime
            info.uid, info.gid = found.st_uid, found.st_gid
            if stat.S_ISDIR(found.st_mode):
                info.type = tarfile.DIRTYPE
                self.tar.addfile(info)
            elif stat.S_ISLNK(found.st_mode):
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
                self.tar.addfile(info)
            elif stat.S_ISREG(found.st_mode):
                with open(path, "rb") as file:
                    info.size = os.fstat(file.fileno()).st_size
                    self.tar.addfile(info, file)

    def _text(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), files.OWNER_ONLY
        self.tar.addfile(info, io.BytesIO(content))

    @contextmanager
    def _holding(self) -> Iterator[Path | None]:
        """A folder for links; None where the disk of the home takes none: it is full, or read-only."""
        try:
            place = Path(tempfile.mkdtemp(dir=self.store.home, prefix=HELD))
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            yield None
            return
        try:
            yield place
        finally:
            files.remove_tree(place)


def _hold(folder: Path, held: Path, without: tuple[str, ...]) -> None:
    """Link every file of a folder. Raises FileNotFoundError when something vanishes."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in without or entry.name.startswith("."):
                continue
            target = held / entry.name
            if entry.is_dir(follow_symlinks=False):
                target.mkdir(mode=stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode))
                _hold(Path(entry.path), target, without=())
            else:
                os.link(entry.path, target, follow_symlinks=False)
