"""What is known of a run, gathered from the records of its job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from geomill.app.exchange import inputs, strictjson
from geomill.app.exchange.values import Given, Reference, Several, Value
from geomill.jobstore import Job, JobStore, Result, Status, StatusInfo
from geomill.processes.packages import described

from .secrets import cut, cut_all

Json = Any
ENDING = ("outcome", "exit_code", "seconds", "peak_memory")  # members of an event and of a step
CWL = "cwl"
SOURCES = {CWL: "document.cwl"}  # what a package's content is called, by runner


@dataclass(frozen=True)
class Stored:
    """A published file. name: its path below outputs/; size: bytes; sha256: in hexadecimal digits."""

    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Step:
    """One step of a workflow, or the one tool. seconds: wall clock; peak_memory: bytes; outcome: cwltool's word."""

    name: str
    tool: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    outcome: str | None = None
    exit_code: int | None = None
    seconds: float | None = None
    peak_memory: int | None = None


@dataclass(frozen=True)
class Run:
    """All that is known of a job. Addresses in it have no secrets; home: the path that no text may show.

    request: the execute request, without its subscriber; given: its inputs in the form that they came in; results:
    empty unless the job was successful; outputs: the published files by name; logs: by what they are called.
    """

    job: Job
    status: StatusInfo
    description: Mapping[str, Json]
    source: Path
    request: dict[str, Json]
    given: Mapping[str, Given]
    results: Mapping[str, Result]
    outputs: Mapping[str, Stored]
    steps: tuple[Step, ...]
    logs: Mapping[str, Path]
    home: str

    @property
    def is_workflow(self) -> bool:
        """Whether a CWL document ran."""
        return self.job.runner == CWL


def gather(store: JobStore, packages: Path, job_id: str) -> Run:
    """What is known of a job. packages: where contents of processes are kept. Raises NoSuchJob."""
    job, status, body, folder = store.job(job_id), store.status(job_id), store.request(job_id), store.folder(job_id)
    description, home = described(packages, job.package, job.described, job.entry), str(store.home)
    request = {name: value for name, value in strictjson.loads(body).items() if name != "subscriber"}
    given = inputs.given(inputs.read(body), description)
    return Run(
        job=job,
        status=replace(status, message=cut(status.message, home) if status.message else None),
        description=description,
        source=source(packages, job),
        request=cut_all(request, home),
        given={name: _cleaned(each, home) for name, each in given.items()},
        results=store.results(job_id) if status.status is Status.SUCCESSFUL else {},
        outputs={file.name: file for file in _stored(folder / "outputs")},
        steps=tuple(_steps(folder / "events.jsonl")),
        logs=dict(_logs(folder)),
        home=home,
    )


def source(packages: Path, job: Job) -> Path:
    """Where the content of the process that ran is kept."""
    return packages / job.package / SOURCES.get(job.runner, "package.py")


def claims(results: Iterable[Result]) -> Iterator[str]:
    """The names of the files that results are."""
    for result in results:
        if result.file is not None:
            yield result.file
        yield from claims(result.items or ())


def time(moment: datetime | None) -> str | None:
    """A time in UTC, as 2026-01-31T12:00:00.123Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def checksum(path: Path) -> str:
    """The sha256 of a file; read once by a worker as long as it does not change."""
    found = path.stat()
    return _checksum(path, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4096)
def _checksum(path: Path, *_state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cleaned(given: Given, home: str) -> Given:
    match given:
        case Several(items):
            return Several(tuple(_cleaned(item, home) for item in items))
        case Reference():
            return replace(given, href=cut(given.href, home))
        case Value(value):
            return Value(cut_all(value, home))
    return given


def _stored(folder: Path) -> Iterator[Stored]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield Stored(path.relative_to(folder).as_posix(), path, path.stat().st_size, checksum(path))


def _logs(folder: Path) -> Iterator[tuple[str, Path]]:
    if (folder / "log").is_file():
        yield "log.txt", folder / "log"
    for path in sorted((folder / "logs").glob("*.log")):
        yield f"logs/{path.name}", path


def _steps(events: Path) -> Iterator[Step]:
    """The steps in the order that they started in."""
    steps: dict[str, Step] = {}
    for event in _events(events):
        name = str(event.get("step"))
        step, moment = steps.get(name, Step(name)), datetime.fromisoformat(event["time"])
        if event.get("event") == "started":
            steps[name] = replace(step, tool=str(event.get("tool", "")), started=moment)
        elif event.get("event") == "ended":
            told: dict[str, Json] = {member: event.get(member) for member in ENDING}
            steps[name] = replace(step, ended=moment, **told)
    yield from steps.values()


def _events(path: Path) -> Iterator[dict[str, Json]]:
    """The whole lines of a file that may be written at this moment, and may not be there."""
    if path.is_file():
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield json.loads(line)
