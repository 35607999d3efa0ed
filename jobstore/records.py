"""The records of a job: what its JSON files say, as frozen dataclasses."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from .status import Status

Json = Any
SHA2_256 = "1220"  # how a multihash of this kind begins
Record = TypeVar("Record")


@dataclass(frozen=True)
class Limits:
    """What a job may use; 0 is as much as there is.

    seconds: wall clock; grace: seconds between asking to end and killing; cpus, memory (bytes), max_running: what it is
    planned by; cpu_seconds, memory_limit (bytes), processes, work (bytes), work_files: of all its processes together;
    output: bytes of its results; files: that one process may have open;
    network: "proxy", or "host" for all of the host's.
    """

    seconds: float = 86400.0
    grace: float = 2.0
    cpus: float = 1.0
    memory: int = 0
    max_running: int | None = None
    cpu_seconds: float = 0.0
    memory_limit: int = 0
    processes: int = 0
    files: int = 0
    work: int = 0
    work_files: int = 0
    output: int = 0
    network: str = "proxy"


@dataclass(frozen=True)
class Job:
    """job.json: what was asked, written once.

    package: sha256 of the package's content, kept in <home>/packages/<package>/; described: the file in there that
    says what it takes and gives; path: where it was dropped in; entry: the function to call; template: the warm
    process it starts from; prefer: the request's preferences, which the results still follow;
    request_digest: sha256 of the body, which an Idempotency-Key is held against; retry_of: the job this one repeats.
    """

    job_id: str
    process_id: str
    version: str
    owner: str
    created: datetime
    package: str
    described: str
    path: str
    entry: str
    runner: str = "python"
    template: str = "base"
    interpreter: str | None = None
    limits: Limits = field(default_factory=Limits)
    key: str | None = None
    request_digest: str | None = None
    prefer: str | None = None
    retry_of: str | None = None


@dataclass(frozen=True)
class StatusInfo:
    """status.json: where a job stands, replaced whole at every change. Source: statusInfo.yaml.

    progress: percent. pid, start_time (clock ticks since boot) and boot_id name the supervisor beyond doubt.
    cause: why it failed: exception, exit, signal, bad-input, lost, rebooted, disk-full, result, terminated, corrupt,
    publish, or a limit: time-limit, cpu-limit, out-of-memory, process-limit, file-limit, work-limit, output-limit.
    durable: False while a synchronous client still waits, whose answer makes the promise; retry_of: as in Job.
    pinned: it never expires; expired: when all but its status was given up; expired_for: why, AGE or DISK.
    """

    job_id: str
    process_id: str
    owner: str
    created: datetime
    status: Status = Status.ACCEPTED
    updated: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    progress: int | None = None
    message: str | None = None
    cause: str | None = None
    pid: int | None = None
    start_time: int | None = None
    boot_id: str | None = None
    dismissing: bool = False
    durable: bool = True
    retry_of: str | None = None
    pinned: bool = False
    expired: datetime | None = None
    expired_for: str | None = None

    @property
    def etag(self) -> str:
        """A name for exactly this state of the job."""
        return hashlib.blake2b(json.dumps(dump(self)).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Result:
    """One output in results.json: a value, a file, several results (items), results by name (members), or a folder.

    file: its path from outputs/; media_type: what the bare value is served as; size: bytes of the file;
    checksum: of the file, a multihash in hexadecimal (sha2-256); secondary: what belongs beside the file;
    href: of a copy of the file that others can have;
    folder: its path from outputs/, listing: the files in it, value: the STAC items in it as a FeatureCollection, if
    there are any, with addresses from the folder.
    """

    value: Json = None
    file: str | None = None
    media_type: str = "application/json"
    size: int | None = None
    checksum: str | None = None
    secondary: tuple[Result, ...] | None = None
    items: tuple[Result, ...] | None = None
    members: Mapping[str, Result] | None = None
    folder: str | None = None
    listing: tuple[Result, ...] | None = None
    href: str | None = None

    def placed(self, hrefs: Mapping[str, str]) -> Result:
        """The same with the addresses of copies. hrefs: by the paths of the files."""
        found: dict[str, Any] = {"href": hrefs.get(self.file)} if self.file is not None else {}
        for name in ("secondary", "items", "listing"):
            if (inner := getattr(self, name)) is not None:
                found[name] = tuple(each.placed(hrefs) for each in inner)
        if self.members is not None:
            found["members"] = {name: each.placed(hrefs) for name, each in self.members.items()}
        return replace(self, **found)

    def files(self) -> Iterator[Result]:
        """Every file in it."""
        if self.file is not None:
            yield self
        inner = (*(self.secondary or ()), *(self.items or ()), *(self.members or {}).values(), *(self.listing or ()))
        for each in inner:
            yield from each.files()


def now() -> datetime:
    """The time, in UTC, to the millisecond that the files keep."""
    return datetime.fromtimestamp(int(time.time() * 1000) / 1000, UTC)


def timestamp(moment: datetime) -> str:
    """A time as it is written, in UTC: 2026-01-31T12:00:00.123Z. RFC 3339"""
    moment = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"


def new_job_id(moment: float | None = None) -> str:
    """A UUIDv7 of now, or of another moment (seconds): 48 bits of milliseconds, then random. Source: RFC 9562, 5.7."""
    value = int((time.time() if moment is None else moment) * 1000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def dump(record: Job | StatusInfo | Result) -> dict[str, Json]:
    """A record as JSON members; unset ones are left out."""
    return {name: _plain(value) for name, value in vars(record).items() if value is not None}


def load_job(data: Mapping[str, Json]) -> Job:
    """job.json as a record; members of a later version are ignored. Raises ValueError for what is none."""
    return _made(Job, data)


def load_status(data: Mapping[str, Json]) -> StatusInfo:
    """status.json (or the job.json it begins as) as a record. Raises ValueError for what is none."""
    return _made(StatusInfo, data)


def load_results(data: Json) -> dict[str, Result]:
    """results.json as records. Raises ValueError for what is none."""
    try:
        return _each_of("results.json", data)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def load_result(data: Mapping[str, Json]) -> Result:
    """A member of results.json as a record. Raises ValueError for what is none."""
    known = dict(_checked(Result, data))
    for name in ("items", "listing", "secondary"):
        if name in known:
            numbered = dict(enumerate(known[name])) if isinstance(known[name], list) else known[name]
            known[name] = tuple(_each_of(name, numbered).values())
    if "members" in known:
        known["members"] = _each_of("members", known["members"])
    return _made(Result, known)


def _each_of(name: str, members: Json) -> dict[Any, Result]:
    if not isinstance(members, dict):
        raise ValueError(f"{name} is of type {type(members).__name__}")
    return {key: load_result(member) for key, member in members.items()}


def _made(record: type[Record], data: Mapping[str, Json]) -> Record:
    """What of the data belongs to a record, as that."""
    kinds, members = _kinds(record), {}
    for name, value in _checked(record, data).items():
        kind = kinds.get(name)
        if kind is None:
            continue
        if (read := _READ.get(name)) is not None:
            value = read(value)
        elif not isinstance(value, kind):
            raise ValueError(f"this is no {record.__name__}: {name} is of type {type(value).__name__}")
        members[name] = value
    try:
        return record(**members)
    except TypeError as error:  # a member is missing
        raise ValueError(f"this is no {record.__name__}: {error}") from error


_kinds_of: dict[type[Any], dict[str, tuple[type, ...]]] = {}


def _kinds(record: type[Any]) -> dict[str, tuple[type, ...]]:
    """The types that each member of a record may have."""
    if record not in _kinds_of:
        kinds = {}
        for name, hint in get_type_hints(record).items():
            types = [get_origin(each) or each for each in (get_args(hint) if isinstance(hint, UnionType) else (hint,))]
            types += [int] if float in types else []
            kinds[name] = tuple(object if each is Any else each for each in types)
        _kinds_of[record] = kinds
    return _kinds_of[record]


def _checked(record: type[Any], data: Mapping[str, Json]) -> Mapping[str, Json]:
    if not isinstance(data, dict):
        raise ValueError(f"this is no {record.__name__}, but of type {type(data).__name__}")
    return data


def _moment(value: Json) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
        return found if found.tzinfo is UTC else found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"there is no time {value}") from None


# members that are other things than what JSON has for them
_READ: dict[str, Callable[[Json], Any]] = {
    **dict.fromkeys(("created", "updated", "started", "finished", "expired"), _moment),
    "status": Status,
    "limits": lambda value: _made(Limits, value),
}


def _plain(value: Json) -> Json:
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, Status):
        return value.value
    if isinstance(value, Limits):
        return vars(value)
    if isinstance(value, dict) and any(isinstance(member, Result) for member in value.values()):
        return {name: dump(member) for name, member in value.items()}
    return [dump(item) for item in value] if isinstance(value, tuple) else value
