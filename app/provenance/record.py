"""What is known of a run, gathered from the records of its job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from geomill.app.engine.steps import events, logs
from geomill.app.exchange import inputs, strictjson
from geomill.app.exchange.values import Given, Reference, Several, Value
from geomill.jobstore import Job, JobStore, Result, Status, StatusInfo
from geomill.jobstore.folders import LOGS
from geomill.jobstore.records import timestamp
from geomill.processes.packages import recorded

from .secrets import cut, cut_all

Json = Any
ENDING = ("outcome", "exit_code", "seconds", "peak_memory")  # members of an event and of a step
REUSED = "reused"  # the outcome of a step whose outputs are those of an earlier run
SHA2_256 = "1220"  # how a multihash of that kind begins, in hexadecimal: its code, and its 32 bytes
CWL = "cwl"
SOURCES = {CWL: "document.cwl"}  # what a package's content is called, by runner


@dataclass(frozen=True)
class Step:
    """One step of a workflow, or the one tool; tool: "" for the server's own step.

    seconds: wall clock; peak_memory: bytes; outcome: cwltool's word, or REUSED.
    """

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

    request: the execute request, without its subscriber; given: its inputs in the form that they came in; formats:
    those that CWL has for the files of an input; results: empty unless the job was successful; outputs: the folder
    that their files are in; logs: by what they are called.
    """

    job: Job
    status: StatusInfo
    description: Mapping[str, Json]
    source: Path
    request: dict[str, Json]
    given: Mapping[str, Given]
    formats: Mapping[str, list[str]]
    results: Mapping[str, Result]
    outputs: Path
    steps: tuple[Step, ...]
    logs: Mapping[str, Path]
    home: str

    @property
    def is_workflow(self) -> bool:
        """Whether a CWL document ran."""
        return self.job.runner == CWL


def gather(store: JobStore, packages: Path, job_id: str) -> Run:
    """What is known of a job. packages: where contents of processes are kept. Raises NoSuchJob, JobExpired."""
    job, status, body, folder = store.job(job_id), store.status(job_id), store.request(job_id), store.folder(job_id)
    kept, home = recorded(packages, job.package, job.described, job.entry), str(store.home)
    description = kept["description"]
    request = {name: value for name, value in strictjson.loads(body).items() if name != "subscriber"}
    given = inputs.given(inputs.read(body), description)
    return Run(
        job=job,
        status=replace(status, message=cut(status.message, home) if status.message else None),
        description=description,
        source=source(packages, job),
        request=cut_all(request, home),
        given={name: _cleaned(each, home) for name, each in given.items()},
        formats=kept.get("needs", {}).get("formats", {}),
        results=store.results(job_id) if status.status is Status.SUCCESSFUL else {},
        outputs=folder / "outputs",
        steps=tuple(_steps(folder)),
        logs=dict(_logs(folder)),
        home=home,
    )


def source(packages: Path, job: Job) -> Path:
    """Where the content of the process that ran is kept."""
    return packages / job.package / SOURCES.get(job.runner, "package.py")


def published(results: Iterable[Result]) -> Iterator[Result]:
    """Every file of some results."""
    return (file for result in results for file in result.files())


def sha256(file: Result) -> str | None:
    """The checksum of a published file, in hexadecimal digits."""
    return file.checksum.removeprefix(SHA2_256) if file.checksum else None


def time(moment: datetime | None) -> str | None:
    """A time in UTC, as 2026-01-31T12:00:00.123Z."""
    return None if moment is None else timestamp(moment)


def _cleaned(given: Given, home: str) -> Given:
    match given:
        case Several(items):
            return Several(tuple(_cleaned(item, home) for item in items))
        case Reference():
            return replace(given, href=cut(given.href, home))
        case Value(value):
            return Value(cut_all(value, home))
    return given


def _logs(folder: Path) -> Iterator[tuple[str, Path]]:
    if (folder / "log").is_file():
        yield "log.txt", folder / "log"
    for name in logs(folder):
        yield f"{LOGS}/{name}", folder / LOGS / name


def _steps(folder: Path) -> Iterator[Step]:
    """The steps in the order that they started in; one that was reused has only ended."""
    steps: dict[str, Step] = {}
    for event in events(folder):
        name, moment = str(event["step"]), datetime.fromisoformat(event["time"])
        step = steps.get(name, Step(name))
        step = replace(step, tool=str(event.get("tool", step.tool)))
        if event["event"] == "started":
            steps[name] = replace(step, started=moment)
        elif event["event"] == "ended":
            told: dict[str, Json] = {member: event.get(member) for member in ENDING}
            steps[name] = replace(step, ended=moment, **told)
    yield from steps.values()
