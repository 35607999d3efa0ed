"""The fence around a running package: it reads and stages files of its own job, and no others.

What a document or a tool says of a file is not to be trusted: a default at /etc, a link that leads out, an address.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from cwltool.errors import WorkflowException
from cwltool.pathmapper import PathMapper
from cwltool.stdfsaccess import StdFsAccess
from schema_salad.ref_resolver import uri_file_path


class FencedAccess(StdFsAccess):
    """Access to files below one folder."""

    def __init__(self, root: Path) -> None:
        """root: the folder."""
        super().__init__(str(root))
        self.root = os.path.realpath(root)

    def _abs(self, p: str) -> str:
        return inside(self.root, super()._abs(p), p)

    def open(self, fn: str, mode: str) -> IO[Any]:
        """A file; a pipe that a tool left would keep its reader waiting."""
        path = self._abs(fn)
        if os.path.lexists(path) and not os.path.isfile(path):
            raise WorkflowException(f"{os.path.relpath(path, self.root)} is no regular file.")
        return super().open(fn, mode)


def fenced_mapper(root: Path) -> type[PathMapper]:
    """A mapper that stages what lies below one folder."""
    real = os.path.realpath(root)

    class FencedMapper(PathMapper):
        """Refuses what lies elsewhere."""

        def visit(self, obj: Any, *args: Any, **options: Any) -> None:
            """Take note of one file or directory."""
            location = obj["location"]
            if not location.startswith("_:"):
                inside(real, uri_file_path(location) if location.startswith("file:") else location, location)
            super().visit(obj, *args, **options)

    return FencedMapper


def inside(root: str, path: str, said: str) -> str:
    """The path, if it lies below a folder, links followed. Raises WorkflowException, which shows it as it was said."""
    real = os.path.realpath(path)
    if real != root and not real.startswith(root + os.sep):
        said = said.replace(f"file://{root}/", "").replace(f"{root}/", "")
        raise WorkflowException(f"{said} is no file of this job; give files as inputs, by value or by reference.")
    return path
