"""The fence around a running package: it reads, writes and stages files of its own job, and no others.

What a document or a tool says of a file is not to be trusted: a default at /etc, a link that leads out, an address, a
name with a way up in it. cwltool handles such files outside of the sandbox, with the rights of the job.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from cwltool.errors import WorkflowException
from cwltool.pathmapper import PathMapper
from cwltool.stdfsaccess import StdFsAccess, abspath
from schema_salad.ref_resolver import uri_file_path

DEEPEST = 100  # folders in folders, those of the job included
MOST = 200_000  # names in all folders that cwltool lists


class Fence:
    """What lies in the folder of a job."""

    def __init__(self, root: Path) -> None:
        """root: the folder."""
        self.root = os.path.realpath(root)
        self._listed = 0

    def place(self, location: str) -> str:
        """The path of a file that may be read. Raises WorkflowException."""
        if "://" in location and not location.startswith("file:"):  # an expression could tell anybody anything by that
            raise WorkflowException(f"{location} is no file of this job; only inputs and their defaults are fetched.")
        return inside(self.root, uri_file_path(location) if location.startswith("file:") else location, location)

    def names(self, location: str) -> list[str]:
        """What is in a folder; links may make huge trees of a few. Raises WorkflowException, OSError."""
        place = self.place(location)
        refuse_circle(place, f"the link {os.path.basename(place)}")
        if place.removeprefix(self.root).count(os.sep) > DEEPEST:
            raise WorkflowException(f"a directory is nested deeper than {DEEPEST} levels")
        names = os.listdir(place)
        self._listed += 1 + len(names)
        if self._listed > MOST:
            raise WorkflowException(f"more than {MOST} files are in the directories, or links lead to them")
        return names

    def open(self, location: str, mode: str = "rb") -> IO[Any]:
        """A file to read; what is none might keep a reader waiting. Raises WorkflowException, OSError."""
        file = os.open(self.place(location), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise WorkflowException(f"{inner(self.root, location)} is no regular file.")
        return open(file, mode)

    def target(self, path: str, folder: str) -> str:
        """A path that may be written to, below one of the job's folders. Raises WorkflowException."""
        path = os.path.normpath(path)
        if not path.startswith(os.path.normpath(folder) + os.sep):
            raise WorkflowException(f"{inner(self.root, path)} is no name for a file of this tool.")
        return inside(self.root, path, path)

    def closed(self, folder: str) -> None:
        """Nothing in a folder leads out of the job. Raises WorkflowException."""
        for place, folders, names in os.walk(folder, onerror=_refuse):
            for path in (os.path.join(place, name) for name in (*folders, *names)):
                if os.path.islink(path):
                    inside(self.root, path, path)


class FencedAccess(StdFsAccess):
    """Access to files inside a fence."""

    def __init__(self, fence: Fence) -> None:
        """fence: as above."""
        super().__init__(fence.root)
        self.fence = fence

    def _abs(self, p: str) -> str:
        return self.fence.place(abspath(p, self.basedir))

    def open(self, fn: str, mode: str) -> IO[Any]:
        """Open a file to read it."""
        return self.fence.open(abspath(fn, self.basedir), mode)

    def listdir(self, fn: str) -> list[str]:
        """The addresses of what is in a folder."""
        return [abspath(quote(name), fn) for name in self.fence.names(abspath(fn, self.basedir))]


def fenced_mapper(fence: Fence) -> type[PathMapper]:
    """A mapper that stages what lies inside the fence, below the folder that it is to stage into."""

    class FencedMapper(PathMapper):
        """Refuses what lies elsewhere, or would."""

        def visit(self, obj: Any, stagedir: str, basedir: str, copy: bool = False, staged: bool = False) -> None:
            """Take note of one file or directory."""
            location, name = obj["location"], str(obj.get("basename", ""))
            if "/" in name or name in ("", ".", ".."):
                raise WorkflowException(f"{name!r} is no name for a file.")
            target = os.path.join(obj.get("dirname") or stagedir, name)
            fence.target(target, self.stagedir)
            if not location.startswith("_:"):
                path = fence.place(abspath(location, basedir))
                if os.path.isdir(path):
                    fence.closed(path)
            super().visit(obj, stagedir, basedir, copy, staged)

    return FencedMapper


def inside(root: str, path: str, said: str) -> str:
    """The path, if it lies below a folder, links followed. Raises WorkflowException, which shows it as it was said."""
    real = os.path.realpath(path)
    if real != root and not real.startswith(root + os.sep):
        hint = "give files as inputs, by value or by reference"
        raise WorkflowException(f"{inner(root, said)} is no file of this job; {hint}.")
    return path


def inner(root: str, path: str) -> str:
    """A path as the package knows it."""
    return path.replace(f"file://{root}/", "").replace(f"{root}/", "")


def refuse_circle(path: str, said: str) -> None:
    """Who follows links for ever is stopped by the kernel, some time after twenty. Raises WorkflowException.

    said: what is called so.
    """
    real = os.path.realpath(path)
    if real != path and any(os.path.realpath(above) == real for above in Path(path).parents):
        raise WorkflowException(f"{said} leads to where it is in")


def _refuse(error: OSError) -> None:
    raise WorkflowException(f"a directory cannot be read: {error.strerror}") from error
