"""Finished steps, kept for a retry: what a tool was given names what it gave.

work/.steps          a line of JSON for each finished run of a tool: its key, and its outputs
work/.retried/       the files of the run that is retried, hard-linked
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schema_salad.ref_resolver import file_uri, uri_file_path

from geomill.app.cwl.fence import Fence
from geomill.app.engine.steps import RETRIED
from geomill.jobstore.folders import FINISHED

CHUNK = 1 << 20


class Reuse:
    """The finished runs of one job, and of the one that it retries."""

    def __init__(self, work: Path, fence: Fence) -> None:
        """fence: around the files of the job. Nothing is kept until `keeping` is set."""
        self.work, self.fence, self.keeping = work, fence, False
        self._lock = threading.Lock()
        self._sums: dict[str, Any] = {}  # of what lies in the job: it does not change, and is given to many steps
        self._known = self._of_retried()

    def key(self, step: str, tool: Any, job_order: Any) -> str | None:
        """Names a step and its tool with everything it is given; None where nothing is kept."""
        if not self.keeping or not _may_be_reused(tool):
            return None
        told = {"step": step, "order": self._told(job_order)}
        told |= {"tool": _plain(tool.tool), "requirements": _plain(tool.requirements)}
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()

    def known(self, key: str | None) -> Any:
        """What the step gave the last time, or None: once for each time it gave something, as with equal items."""
        with self._lock:
            outcomes = self._known.get(key or "")
            return outcomes.pop(0) if outcomes else None

    def keep(self, key: str | None, outputs: Any) -> None:
        """Note what a tool gave."""
        if key is None:
            return
        line = json.dumps({"key": key, "outputs": _moved(outputs, self._relative)}, default=str)
        with self._lock, (self.work / FINISHED).open("a") as file:
            file.write(line + "\n")

    # ---- inside

    def _of_retried(self) -> dict[str, list[Any]]:
        """What the retried run has finished, with its files where they are now."""
        known: dict[str, list[Any]] = {}
        folder = self.work / RETRIED
        if (folder / FINISHED).is_file():
            for line in (folder / FINISHED).read_text().splitlines():
                try:
                    kept = json.loads(line)
                except ValueError:  # it was ended while it wrote
                    continue
                outputs = _moved(kept["outputs"], self._absolute)
                if all(os.path.exists(path) for path in _paths(outputs)):
                    known.setdefault(kept["key"], []).append(outputs)
        return known

    def _absolute(self, location: str) -> str:
        """Where a file of the retried run is now."""
        return location if location.startswith("_:") else file_uri(str(self.work / RETRIED / location))

    def _relative(self, location: str) -> str:
        """Where a file is from work/, wherever that will be."""
        if not location.startswith("file:"):
            return location
        return os.path.relpath(os.path.realpath(uri_file_path(location)), os.path.realpath(self.work))

    def _told(self, value: Any) -> Any:
        """A value as a key: a file by its content and name, not by where it lies."""
        literal = isinstance(value, dict) and str(value.get("location", "_:")).startswith("_:")
        if isinstance(value, dict) and value.get("class") in ("File", "Directory") and literal:
            return {name: self._told(member) for name, member in value.items() if name not in _PLACES}
        if isinstance(value, dict) and value.get("class") == "File":
            told = {name: self._told(member) for name, member in value.items() if name not in _PLACES}
            told["checksum"] = value.get("checksum") or self._sum(value["location"], self._checksum)
            return told
        if isinstance(value, dict) and value.get("class") == "Directory":
            told = {name: self._told(member) for name, member in value.items() if name not in (*_PLACES, "listing")}
            return {**told, "content": self._sum(value["location"], self._content)}
        if isinstance(value, dict):
            return {str(name): self._told(member) for name, member in value.items()}
        return [self._told(item) for item in value] if isinstance(value, list) else value

    def _checksum(self, location: str) -> str:
        """As cwltool writes it for outputs."""
        digest = hashlib.sha1(usedforsecurity=False)
        with self.fence.open(location) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return f"sha1${digest.hexdigest()}"

    def _content(self, folder: str) -> list[str]:
        """What a folder holds: files, links, and folders, which may be empty."""
        found = []
        for place, folders, names in os.walk(folder):
            for path in (os.path.join(place, name) for name in (*folders, *names)):
                inner = os.path.relpath(path, folder)
                if os.path.islink(path):
                    found.append(f"{inner} -> {os.readlink(path)}")
                elif os.path.isdir(path):
                    found.append(f"{inner}/")
                else:
                    found.append(f"{inner} {self._checksum(path)}")
        return sorted(found)

    def _sum(self, location: str, compute: Callable[[str], Any]) -> Any:
        if location not in self._sums:
            self._sums[location] = compute(uri_file_path(location) if location.startswith("file:") else location)
        return self._sums[location]


_MADE_UP = re.compile(r"^_:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACES = ("location", "path", "dirname", "nameroot", "nameext")


def _may_be_reused(tool: Any) -> bool:
    """WorkReuse of CWL 1.1: a tool may say that its results are never the same twice."""
    said, _ = tool.get_requirement("WorkReuse")
    return said is None or said.get("enableReuse", True) is not False


def _plain(value: Any, member: str = "") -> Any:
    """A part of a document without what only says where it was read, and names that were made up then."""
    if isinstance(value, dict):
        return {str(name): _plain(each, str(name)) for name, each in value.items() if not str(name).startswith("_")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and member in ("id", "name"):
        value = _MADE_UP.sub("_:", value)
    return value.rpartition("#")[2] if isinstance(value, str) and value.startswith("file:") else value


def _moved(value: Any, place: Callable[[str], str]) -> Any:
    """A copy in which every file and directory has another location."""
    if isinstance(value, dict):
        made = {name: _moved(member, place) for name, member in value.items()}
        if value.get("class") in ("File", "Directory") and "location" in value:
            made["location"] = place(value["location"])
            made.pop("path", None)
        return made
    return [_moved(item, place) for item in value] if isinstance(value, list) else value


def _paths(value: Any) -> list[str]:
    """Where the files of some outputs lie."""
    if isinstance(value, dict):
        own = [uri_file_path(value["location"])] if str(value.get("location", "")).startswith("file:") else []
        return own + [path for member in value.values() for path in _paths(member)]
    return [path for item in value for path in _paths(item)] if isinstance(value, list) else []
