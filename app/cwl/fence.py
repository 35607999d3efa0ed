"""The fence around a running package: it reads, writes and stages files of its own job, and no others.

What a document or a tool says of a file is not to be trusted: a default at /etc, a link that leads out, an address, a
name with a way up in it. cwltool handles such files outside of the sandbox, with the rights of the job.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, Any

from cwltool.errors import WorkflowException
from cwltool.pathmapper import MapperEnt, PathMapper
from cwltool.process import Process
from cwltool.stdfsaccess import StdFsAccess, abspath
from schema_salad.ref_resolver import uri_file_path

from geomill.app.cwl.document import children

WEB = ("http://", "https://")


class Fence:
    """What a job may touch: what lies in its folder, and what its document itself names on the web."""

    def __init__(self, root: Path, named: Collection[str], fetch: Callable[[str], Path]) -> None:
        """root: the folder; named: addresses that may be fetched; fetch: gives the file at one."""
        self.root, self.named, self.fetch = os.path.realpath(root), named, fetch
        self._fetched: dict[str, str] = {}

    def place(self, location: str) -> str:
        """The path of a file that may be read, fetched if need be. Raises WorkflowException."""
        if location in self._fetched:
            return self._fetched[location]
        if location.startswith(WEB):
            if location not in self.named:  # an expression could tell anybody anything by an address
                raise WorkflowException(f"{location} is fetched only where the package itself names it.")
            self._fetched[location] = str(self.fetch(location))
            return self._fetched[location]
        return inside(self.root, uri_file_path(location) if location.startswith("file:") else location, location)

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


def fenced_mapper(fence: Fence) -> type[PathMapper]:
    """A mapper that stages what lies inside the fence, below the folder that it is to stage into."""

    class FencedMapper(PathMapper):
        """Refuses what lies elsewhere, or would."""

        def visit(
            self, obj: Any, stagedir: str, basedir: str, copy: bool = False, staged: bool = False
        ) -> None:
            """Take note of one file or directory."""
            location, name = obj["location"], str(obj.get("basename", ""))
            if "/" in name or name in ("", ".", ".."):
                raise WorkflowException(f"{name!r} is no name for a file.")
            target = os.path.join(obj.get("dirname") or stagedir, name)
            fence.target(target, self.stagedir)
            if location.startswith(WEB) and location not in self._pathmap:
                kind = "WritableFile" if copy else "File"
                self._pathmap[location] = MapperEnt(fence.place(location), target, kind, staged)
            elif not location.startswith("_:"):
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


def addresses(tool: Process) -> frozenset[str]:
    """What a process, or anything that it runs, names on the web as a file."""
    return frozenset(address for each in _every(tool) for address in _addresses(each.tool))


def _every(tool: Process) -> Iterator[Process]:
    yield tool
    for step in getattr(tool, "steps", ()):
        yield step
        yield from _every(step.embedded_tool)


def _addresses(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value.get("class") == "File":
        location = value.get("location", value.get("path"))
        if isinstance(location, str) and location.startswith(WEB):
            yield location
    for each in children(value):
        yield from _addresses(each)


def _refuse(error: OSError) -> None:
    raise WorkflowException(f"a directory cannot be read: {error.strerror}") from error
