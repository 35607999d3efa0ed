"""What is new of a job since somebody was last told, as short answers of server-sent events. Pure.

    GET /jobs/{jobID}/events      Accept: text/event-stream      Last-Event-ID: the id of the answer before

    retry: 2000

    event: status
    data: {"status":"running","progress":40,"message":"halfway","cause":null,"place":null,"created":...,"started":...,
           "finished":null,"updated":...}                              (in one line, as all data)
    event: step
    data: {"id":"crop","status":"running","started":...,"log":"https://.../jobs/<id>/logs/crop.log"}

    event: log
    data: {"name":"crop.log","size":99,"href":"https://.../jobs/<id>/logs/crop.log"}

    id: ...

status: all members of the status document that can change, null where there is none, when one of them has changed;
place: in the queue, while it waits. step: a member of `steps` in the JSON document of the same address, when it has
changed. log: the size of one that has grown, in bytes; "log" is that of the job. The id comes last: what is in one
answer is told together, or again. An answer ends at once, and a browser asks anew after `retry`, which grows while
there is nothing new; 204, upon which it does not, says that the job has ended and everything was told. So no thread is
held, and nobody need be remembered.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from geomill.app.engine.steps import LogFile
from geomill.jobstore import Status, StatusInfo
from geomill.jobstore.records import timestamp

Json = dict[str, Any]
RETRY = 2000, 5000  # ms until a browser asks again, at least and at most
RENEWAL = 5000, 30_000  # ms until it has the page anew, for what no event tells: how long it takes
SLACK = 1_000_000_000  # ns: the clock that stamps files ticks slowly, and may be that of another host
STATES = {"success": "successful", "reused": "successful", "skipped": "successful"}
_ID = re.compile(r"([0-9a-f]{24})-(\d{0,9})-(\d{1,12})-([0-9a-f]{8})-(\d{1,20})-([01])", re.ASCII)
_MEMBERS = {"tool": "tool", "exit_code": "exitCode", "seconds": "seconds", "peak_memory": "peakMemory"}


@dataclass(frozen=True)
class Told:
    """What somebody knows of a job: all that there was when the id was made that this is written as.

    status: the etag of the status; place: in the queue, as text; events: bytes of events; logs: a digest of the names
    and sizes of the logs; moment: when the latest of them was written, in ns; final: whether the job had ended.
    """

    status: str = ""
    place: str = ""
    events: int = 0
    logs: str = ""
    moment: int = 0
    final: bool = False

    def __str__(self) -> str:
        return f"{self.status}-{self.place}-{self.events}-{self.logs}-{self.moment}-{self.final:d}"

    @classmethod
    def read(cls, text: str) -> Told:
        """What an id says; nothing was told where it is none of ours."""
        found = _ID.fullmatch(text)
        if found is None:
            return cls()
        status, place, events, logs, moment, final = found.groups()
        return cls(status, place, int(events), logs, int(moment), final == "1")


@dataclass(frozen=True)
class Seen:
    """A job as it is now. place: in the queue; happened: its events, and changed: the steps that the new ones are of;

    size: bytes of the events; logs: those that there are.
    """

    info: StatusInfo
    place: int | None
    happened: Sequence[Json]
    changed: frozenset[str]
    size: int
    logs: Sequence[LogFile]

    @cached_property
    def told(self) -> Told:
        """What somebody knows who is told all of it."""
        names = "\n".join(f"{log.name} {log.size}" for log in self.logs)
        return Told(
            self.info.etag,
            "" if self.place is None else str(self.place),
            self.size,
            f"{zlib.crc32(names.encode(errors='surrogateescape')):08x}",
            max((log.written for log in self.logs), default=0),
            self.info.status.final,
        )


def news(seen: Seen, told: Told) -> Iterator[tuple[str, Json]]:
    """What somebody does not know yet, in order: the kind of each event, and its data without links."""
    now = seen.told
    if (now.status, now.place) != (told.status, told.place):
        yield "status", status(seen.info, seen.place)
    ended = now.final and not told.final  # steps that ran were ended with it
    for step in steps(seen.happened, seen.info.status).values():
        if step["id"] in seen.changed or (ended and "finished" not in step):
            yield "step", step
    if now.logs != told.logs:
        for log in _written_since(seen.logs, told.moment):
            yield "log", {"name": log.name, "size": log.size}


def status(info: StatusInfo, place: int | None) -> Json:
    """The members of a status document that can change."""
    times = {name: getattr(info, name) for name in ("created", "started", "finished", "updated")}
    return {
        "status": info.status.value,
        "progress": info.progress,
        "message": info.message,
        "cause": info.cause if info.status is Status.FAILED else None,
        "place": place,
        **{name: None if moment is None else timestamp(moment) for name, moment in times.items()},
    }


def steps(happened: Iterable[Mapping[str, Any]], job: Status) -> dict[str, Json]:
    """How the steps of a job stand, by their ids and in the order that they began in. job: how that stands."""
    found: dict[str, Json] = {}
    for event in happened:
        name = event["step"]
        if name not in found:
            found[name] = {"id": name}
        _note(found[name], event)
    for step in found.values():
        if step["status"] == "running" and job.final:  # it was ended with its job, and nobody came to say so
            step["status"] = "dismissed" if job is Status.DISMISSED else "failed"
    return found


def waiting(info: StatusInfo, place: int | None) -> StatusInfo:
    """A job that waits, with its place in the queue, which is no part of its state."""
    return info if place is None else replace(info, message=f"waiting, number {place} in the queue (an estimate)")


def pause(seconds: float, least: int, most: int) -> int:
    """ms until it is worth to look again at what has been as it is for so long: a tenth of that, within bounds."""
    return round(min(max(seconds * 100, least), most))


def retry(seen: Seen, moment: float) -> int:
    """ms until a browser asks again: sooner for a job that has said something lately. moment: now, in seconds."""
    latest = max((seen.info.updated or seen.info.created).timestamp(), seen.told.moment / 1e9)
    return pause(moment - latest, *RETRY)


def stream(events: Iterable[tuple[str, Json]], seen: Seen, moment: float) -> bytes:
    """An answer with these events, after which all of `seen` is known. moment: as above. Source: HTML, 9.2.6"""
    blocks = [f"retry: {retry(seen, moment)}\n\n"]
    for kind, content in events:
        blocks.append(f"event: {kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n")
    return "".join([*blocks, f"id: {seen.told}\n\n"]).encode()


def _note(step: Json, event: Mapping[str, Any]) -> None:
    """Add what an event says of its step."""
    for name, value in event.items():
        if name in _MEMBERS:
            step[_MEMBERS[name]] = value
    if event["event"] == "started":
        step["status"], step["started"] = "running", event.get("time")
        return
    outcome = event.get("outcome", "")
    step["status"], step["finished"] = STATES.get(outcome, "failed"), event.get("time")
    if outcome == "reused":
        step["reused"] = True


def _written_since(logs: Sequence[LogFile], moment: int) -> Sequence[LogFile]:
    """The logs that may have changed since; all of them where their times make no sense, which a job can set."""
    return [log for log in logs if log.written >= moment - SLACK] or logs
