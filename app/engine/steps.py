"""What is written down of the steps of a job: their events and their logs. The last step is the supervisor's own.

events.jsonl         a line for everything that happened to a step
logs/<step>.log      written by the job itself
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geomill.app.exchange.strictjson import refuse_constant
from geomill.jobstore import Result
from geomill.jobstore.folders import LOGS
from geomill.jobstore.records import now, timestamp

EVENTS = "events.jsonl"
RETRIED = ".retried"  # in work/: what the job that this one retries had kept
STAGE_OUT = "node_stage_out"  # what clients of other servers know this step as
MOST = 64 * 2**20  # bytes of events, which the job may be hostile about
# the job may have put anything in its place: a link, or a pipe that nobody reads
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MEMBERS = {"event": str, "step": str, "tool": str, "outcome": str, "exit_code": int, "seconds": float,
            "peak_memory": int, "time": str}  # fmt: skip


class NoSuchLog(LookupError):
    """The job has no step with such a log."""


class StepRecord:
    """The steps of one job, if it has any."""

    def __init__(self, folder: Path) -> None:
        """folder: of the job."""
        self.folder = folder
        self._written = 0

    def note(self, event: dict[str, Any]) -> None:
        """Write down what the job says of a step."""
        known = _known(event)
        line = json.dumps(known).encode()[:4096] + b"\n"
        self._written += len(line)
        if self._written <= MOST and {"event", "step"} <= set(known):
            file = os.open(self.folder / EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(file, line)
            finally:
                os.close(file)

    @contextlib.contextmanager
    def publishing(self) -> Iterator[list[Result]]:
        """Publishing as the last step, with a log that says what was published; nothing for a job without steps."""
        published: list[Result] = []
        if self._written == 0:
            yield published
            return
        begin = time.monotonic()
        self._say("started")
        outcome, lines = "permanentFail", []
        try:
            yield published
            outcome = "success"
            lines = [" ".join((_described(each), each.href or "")).rstrip() for each in published]
        except Exception as error:
            lines = [str(error)]
            raise
        finally:
            text = "\n".join([*lines, f"{len(published)} files published in outputs/", ""])
            with contextlib.suppress(OSError):
                path = self.folder / LOGS / f"{STAGE_OUT}.log"
                with open(os.open(path, _WRITE, 0o600), "w", encoding="utf-8") as log:
                    log.write(text)
            self._say("ended", outcome=outcome, seconds=round(time.monotonic() - begin, 3))

    def _say(self, event: str, **more: Any) -> None:
        self.note({"time": timestamp(now()), "event": event, "step": STAGE_OUT, **more})


def _described(file: Result) -> str:
    return f"{file.file}  {file.size} bytes  {file.checksum}  {file.media_type}"


@dataclass(frozen=True)
class LogFile:
    """A log. name: "log" is that of the job; size: bytes; written: when it was last, ns since 1970."""

    name: str
    size: int
    written: int


def events(folder: Path) -> list[dict[str, Any]]:
    """What was written down of the steps of a job; a line that is still being written comes the next time."""
    return parse_events(read_events(folder))


def read_events(folder: Path) -> bytes:
    """The lines of all that was written down of the steps of a job, whole ones alone."""
    try:
        content = (folder / EVENTS).read_bytes()
    except FileNotFoundError:
        return b""
    return content[: content.rfind(b"\n") + 1]


def size_of_events(folder: Path) -> int:
    """How many bytes of events there are, about."""
    try:
        return os.stat(f"{folder}/{EVENTS}").st_size
    except FileNotFoundError:
        return 0


def parse_events(lines: bytes) -> list[dict[str, Any]]:
    """The events that lines tell; what is none, or half of one, is passed over."""
    said = (_known(event) for event in _parsed(lines.splitlines()) if isinstance(event, dict))
    return [event for event in said if "event" in event and "step" in event and _is_time(event.get("time"))]


def _is_time(text: str | None) -> bool:
    try:
        return text is not None and bool(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError):
        return False


def _parsed(lines: list[bytes]) -> list[Any]:
    """What is JSON among lines."""
    with contextlib.suppress(ValueError, RecursionError):  # at once, which is six times as fast as one by one
        return list(json.loads(b"[%b]" % b",".join(lines), parse_constant=refuse_constant))
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(line, parse_constant=refuse_constant))
    return found


def _known(event: dict[str, Any]) -> dict[str, Any]:
    """What of an event is what it should be: the job says it, and the disk may have torn it."""
    return {name: value for name, value in event.items() if type(value) is _MEMBERS.get(name)}


def logs(folder: Path | str, happened: list[dict[str, Any]] | None = None) -> list[str]:
    """The names of the logs of a job's steps, as they began. happened: the events, where somebody has read them."""
    if not os.path.lexists(f"{folder}/{LOGS}") or not (found := log_names(folder)):
        return []
    begun = dict.fromkeys(f"{event['step']}.log" for event in (events(Path(folder)) if happened is None else happened))
    return [name for name in begun if name in found] + sorted(found - begun.keys())


def log_names(folder: Path | str) -> set[str]:
    """The names of the logs of a job's steps. The job writes there itself: what is no file is none.

    Nor is one whose name cannot stand in an address.
    """
    return {entry.name for entry in _entries(folder) if entry.is_file(follow_symlinks=False)}


def all_logs(folder: Path) -> list[LogFile]:
    """The logs of a job and of its steps; no file is opened."""
    found = []
    for entry in _entries(folder):
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            found.append(LogFile(entry.name, status.st_size, status.st_mtime_ns))
    found.sort(key=lambda log: log.name)
    with contextlib.suppress(FileNotFoundError):
        status = os.stat(f"{folder}/log")
        found.insert(0, LogFile("log", status.st_size, status.st_mtime_ns))
    return found


def _entries(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(f"{folder}/{LOGS}") as entries:
        yield from (entry for entry in entries if entry.name.endswith(".log") and entry.name.isprintable())
