"""What a runner is given, and how the values of a process become results to publish."""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any

from geomill.app.access import access_of
from geomill.app.config import Settings
from geomill.app.egress.way_out import WayOut
from geomill.app.exchange import inputs
from geomill.app.exchange.media_types import extension, is_json
from geomill.app.exchange.request import ExecuteRequest, read
from geomill.app.guard import Access, Fetched, Guard, Refused, Unreachable
from geomill.app.runners import runner
from geomill.app.runners.compiled import code_of
from geomill.app.uploads.given import Given
from geomill.jobstore import Job, JobStore, files
from geomill.jobstore.folders import GIVEN
from geomill.processes import BadInput
from geomill.processes.call import readable
from geomill.processes.packages import Packages, described
from geomill.processes.records import CorruptProcess

JSON = "application/json"
INLINE = 1 << 20  # bytes of JSON that results.json holds; a larger value becomes a file beside it
_SAY_EVERY = 0.05  # seconds between two reports of progress
_MEDIA_TYPES = {"stac": "application/geo+json", "geojson": "application/geo+json", "wkt2": "text/plain"}


class Failed(Exception):
    """What ran elsewhere failed there, and has said why: {"cause", "message"}; its log has the rest."""

    def __init__(self, failure: dict[str, str]) -> None:
        super().__init__(failure["message"])
        self.failure = failure


def _source(path: Path, job: Job) -> bytes:
    try:
        return files.read(path)
    except FileNotFoundError:
        raise CorruptProcess(job.process_id, f"{path.name} of its package {job.package} is missing") from None


@dataclass
class Task:
    """One run: everything a runner needs, read before the rights of the server were dropped."""

    job: Job
    request: ExecuteRequest
    description: Mapping[str, Any]
    source: bytes
    library: Path | None
    work: Path
    access: Access
    given: Given
    settings: Settings
    say: Callable[[dict[str, Any]], None]
    way_out: WayOut
    code: CodeType | None = None
    said: float = 0.0

    @classmethod
    def of(
        cls, store: JobStore, settings: Settings, job: Job, say: Callable[[dict[str, Any]], None], way_out: WayOut
    ) -> Task:
        """The task of a job. say: sends a message to the supervisor. Raises JobCorrupt, CorruptProcess."""
        package = store.home / "packages" / job.package
        access = access_of(settings, store.tenant)
        access.read()
        given = Given(store.folder(job.job_id) / GIVEN)
        request = read(store.request_of(job))
        source = _source(package / runner(job.runner).SOURCE, job)
        compiles = job.runner == "python" and job.interpreter is None
        return cls(
            job=job,
            request=request,
            description=described(package.parent, job.package, job.described, job.entry),
            source=source,
            code=code_of(source, Path(job.path), package / job.described) if compiles else None,
            library=Packages(package.parent, settings.describe_limit).library() if job.interpreter else None,
            work=store.folder(job.job_id) / "work",
            access=access,
            given=given,
            settings=settings,
            say=say,
            way_out=way_out,
        )

    @property
    def logs(self) -> Path:
        """Where each step has its log."""
        return self.work.with_name("logs")

    @cached_property
    def guard(self) -> Guard:
        """What fetches, with the credentials that the tenant had when the job began: most jobs fetch nothing."""
        settings, upstream = self.settings, self.way_out.upstream
        return Guard(settings.allow, settings.max_fetch, upstream=upstream, access=self.access)

    def event(self, event: dict[str, Any]) -> None:
        """Note what happened to a step."""
        self.say({"event": event})

    def arguments(self) -> dict[str, Any]:
        """The inputs, fetched and checked; files lie in work/inputs. Raises BadInput."""
        folder = self.work / "inputs"
        return inputs.stage(self.request, self.description, self.get, folder)

    def get(self, href: str, folder: Path, media_type: str | None = None) -> Fetched:
        """What an address gives, in a new file of a folder: an upload that the job was given, else by the guard.

        Raises Refused, Unreachable.
        """
        return self.given.fetch(href, folder, media_type) or self.guard.fetch(href, folder, media_type)

    def progress(self, percent: float, message: str | None = None) -> None:
        """Report 0 to 100 per cent; more often than is of use costs nothing."""
        if not 0 <= percent <= 100:
            raise ValueError(f"progress is {percent}, not 0 to 100 per cent")
        if percent >= 100 or time.monotonic() - self.said >= _SAY_EVERY:
            self.said = time.monotonic()
            self.say({"progress": int(percent), "message": message and readable(str(message)[:1000])})

    def fetch(self, href: str, media_type: str | None = None) -> Path:
        """Download through the guard, into work/inputs. Raises BadInput for an address that gives nothing."""
        folder = self.work / "inputs"
        folder.mkdir(exist_ok=True)
        try:
            return self.get(href, folder, media_type).path
        except (Refused, Unreachable) as error:
            raise BadInput(str(error)) from error

    def requested(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Of some outputs those that the request wants."""
        wanted = self.request.outputs if self.request.outputs or self.request.wants_nothing else None
        return {name: value for name, value in outputs.items() if wanted is None or name in wanted}

    def results(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """What a process gave, of what was requested, as results to publish."""
        described = self.description.get("outputs", {})
        return {
            output_id: self._result(output_id, value, described.get(output_id, {}).get("schema", {}))
            for output_id, value in self.requested(outputs).items()
        }

    def _result(self, output_id: str, value: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
        if isinstance(value, list) and value and all(isinstance(item, Path) for item in value):
            items = [self._result(output_id, item, schema.get("items", schema)) for item in value]
            return {"items": items}
        media_type = _media_type(schema, value)
        if isinstance(value, Path):
            return {"file": str(_in_unicode(value)), "media_type": media_type}
        if isinstance(value, str) and "contentEncoding" in schema:  # what bytes became on their way
            name = output_id + extension(media_type)
            return {"file": self._file(output_id, name, base64.b64decode(value)), "media_type": media_type}
        try:
            content = json.dumps(value, separators=(",", ":"))
        except TypeError as error:  # a Path among other values
            raise TypeError(f"output {output_id!r}: files stand alone or in a list of files: {error}") from None
        if len(content) <= INLINE:
            return {"value": value, "media_type": media_type}
        media_type = media_type if is_json(media_type) else JSON
        name = output_id + extension(media_type)
        return {"file": self._file(output_id, name, content.encode()), "media_type": media_type}

    def _file(self, output_id: str, name: str, content: bytes) -> str:
        """A new file for a value that does not belong into results.json."""
        folder = self.work / f".output-{output_id}"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        return str(folder / name)


def _in_unicode(path: Path) -> Path:
    """The file under a name that JSON can hold, which it is given if need be."""
    readable = path.with_name(os.fsencode(path.name).decode(errors="replace"))
    return path if readable == path else path.rename(readable)


def _media_type(schema: Mapping[str, Any], value: Any) -> str:
    """What a value is served as: as described, else by its kind."""
    branches = [schema, *schema.get("oneOf", ()), *schema.get("allOf", ()), *schema.get("anyOf", ())]
    for branch in branches:
        if "contentMediaType" in branch and isinstance(value, (str, Path)):
            return str(branch["contentMediaType"])
    if isinstance(value, Path):
        return mimetypes.guess_type(value.name)[0] or "application/octet-stream"
    if isinstance(value, str):
        return "text/plain"
    for branch in branches:
        kind = str(branch.get("format", "")).rpartition("/")[2].partition("-")[0]
        if kind in _MEDIA_TYPES and isinstance(value, dict):
            return _MEDIA_TYPES[kind]
    return JSON
