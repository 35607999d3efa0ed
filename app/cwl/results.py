"""From the output object of a CWL process to results to publish."""

from __future__ import annotations

import codecs
import json
import os
import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cwltool.errors import WorkflowException
from schema_salad.ref_resolver import uri_file_path

from geomill.app.cwl.fence import inside, refuse_circle
from geomill.app.cwl.stac import GEOJSON, feature_collection
from geomill.app.exchange.media_types import of_name
from geomill.app.exchange.strictjson import loads
from geomill.app.runners.task import INLINE, JSON

Json = Any
MOST = 100_000  # files in directories that links lead to


class Outputs:
    """Makes results. media_type: of a CWL format."""

    def __init__(self, work: Path, job_id: str, media_type: Callable[[str], str | None]) -> None:
        """work: the job's folder, in which all files must lie."""
        self.job_id = job_id
        self.work, self.media_type = os.path.realpath(work), media_type
        self._folder = Path(self.work) / ".literals"
        self._linked = 0

    def make(self, outputs: Mapping[str, Json]) -> dict[str, Any]:
        """The results by output id; what is null is left out. Raises WorkflowException for a file that leads out."""
        return {name: self._result(value) for name, value in outputs.items() if value is not None}

    def _result(self, value: Json) -> dict[str, Any]:
        if isinstance(value, Mapping):
            if value.get("class") == "File":
                path = self._path(value)
                secondary = [self._result(each) for each in value.get("secondaryFiles") or ()]
                beside = {"secondary": secondary} if secondary else {}
                return {"file": path, "media_type": self._type(value, path), **beside}
            if value.get("class") == "Directory":
                return self._directory(value)
            if _has_files(value):
                return {"members": {name: self._result(member) for name, member in value.items() if member is not None}}
        if isinstance(value, list) and _has_files(value):
            return {"items": [self._result(item) for item in value if item is not None]}
        return self._plain(value)

    def _plain(self, value: Json) -> dict[str, Any]:
        """A value without files; a large one becomes a file."""
        media_type = "text/plain" if isinstance(value, str) else JSON
        try:
            content = json.dumps(value)
            if len(content) <= INLINE:
                return {"value": loads(content.encode()), "media_type": media_type}
        except (ValueError, RecursionError) as error:  # as cwl.output.json may have it
            raise WorkflowException(f"a value that a tool gave cannot be kept: it {error}") from error
        path = self._new("value.txt" if isinstance(value, str) else "value.json")
        path.write_text(value if isinstance(value, str) else content, errors="replace")
        return {"file": str(path), "media_type": media_type}

    def _type(self, file: Mapping[str, Json], path: str) -> str:
        """What a file is: as its format says, else by its name; what has no kind of name, as stdout, by its content."""
        stated = self.media_type(str(file["format"])) if file.get("format") else None
        if stated is None and not posixpath.splitext(path)[1] and _is_text(path):
            return "text/plain"
        return stated or of_name(path)

    def _path(self, value: Mapping[str, Json]) -> str:
        """Where a file lies; a literal is written first, one that is called otherwise gets its name."""
        location = str(value.get("location", ""))
        if location.startswith("_:") or "location" not in value:
            path = self._new(str(value.get("basename") or "file"))
            path.write_text(str(value.get("contents", "")))
            return str(path)
        path = Path(os.path.realpath(inside(self.work, _local(location), location)))
        name = str(value.get("basename") or path.name)
        if name != path.name:
            renamed = self._new(name)
            os.link(path, renamed)
            return str(renamed)
        return str(path)

    # ---- directories

    def _directory(self, value: Mapping[str, Json]) -> dict[str, Any]:
        location = str(value.get("location", ""))
        if location.startswith(("file:", "/")):
            folder = Path(os.path.realpath(inside(self.work, _local(location), location)))
        else:
            folder = self._gathered(value)
        self._resolve_links(folder)
        found: dict[str, Any] = {"folder": str(folder), "media_type": "application/json"}
        if (items := feature_collection(folder, self.job_id)) is not None:
            found |= {"value": items, "media_type": GEOJSON}
        return found

    def _gathered(self, value: Mapping[str, Json]) -> Path:
        """A directory that lies in several places, or nowhere yet, in one."""
        folder = self._new(str(value.get("basename") or "directory"))
        folder.mkdir()
        self._gather(value, folder)
        return folder

    def _gather(self, value: Mapping[str, Json], folder: Path) -> None:
        for entry in value.get("listing") or []:
            name = Path(str(entry.get("basename") or unquote(str(entry["location"])).rpartition("/")[2])).name
            if entry.get("class") == "Directory":
                location = str(entry.get("location", ""))
                if location.startswith(("file:", "/")):
                    source = inside(self.work, _local(location), location)
                    if os.path.isdir(source):
                        self._resolve_links(Path(os.path.realpath(source)))
                        self._linked_to(os.path.realpath(source), str(folder / name), name)
                        continue
                (folder / name).mkdir(exist_ok=True)
                self._gather(entry, folder / name)
            else:
                os.link(self._path(entry), folder / name)

    def _resolve_links(self, folder: Path) -> None:
        """Links to what lies in the job become what they lead to; others are refused."""
        for place, folders, names in os.walk(folder):
            for name in (*folders, *names):
                path = os.path.join(place, name)
                if not os.path.islink(path):
                    continue
                target = os.path.realpath(path)
                said = f"the link {os.path.relpath(path, folder)}"
                inside(self.work, target, f"{said}, which leads to {os.readlink(path)},")
                if not os.path.exists(target):
                    raise WorkflowException(f"{said} leads nowhere")
                refuse_circle(path, said)
                os.unlink(path)
                self._linked_to(target, path, said)

    def _linked_to(self, target: str, path: str, said: str) -> None:
        """The same files at another path; a directory may not lead on, which could be for ever."""
        if not os.path.isdir(target):
            os.link(target, path)
            return
        for place, folders, names in os.walk(target):
            here = os.path.normpath(os.path.join(path, os.path.relpath(place, target)))
            os.mkdir(here)
            self._linked += len(names)
            if self._linked > MOST or any(os.path.islink(os.path.join(place, name)) for name in (*folders, *names)):
                raise WorkflowException(f"{said} leads to a directory with links of its own, or too many files")
            for name in names:
                os.link(os.path.join(place, name), os.path.join(here, name))

    def _new(self, name: str) -> Path:
        """A path for a file of this name."""
        self._folder.mkdir(exist_ok=True)
        place = self._folder / str(len(os.listdir(self._folder)))
        place.mkdir()
        return place / (Path(name).name or "file")


def _is_text(path: str) -> bool:
    """Whether a file begins with text in UTF-8; the last character that was read may be cut."""
    with open(path, "rb") as file:
        begin = file.read(4096)
    text = codecs.getincrementaldecoder("utf-8")()
    try:
        return "\0" not in text.decode(begin)
    except UnicodeDecodeError:
        return False


def _local(location: str) -> str:
    """The path of a file that cwltool has as an address, or as a path when an expression has given it on."""
    return uri_file_path(location) if location.startswith("file:") else location


def _has_files(value: Json) -> bool:
    """Whether a file or directory is anywhere in a value."""
    if isinstance(value, Mapping):
        return value.get("class") in ("File", "Directory") or any(map(_has_files, value.values()))
    return isinstance(value, list) and any(map(_has_files, value))
