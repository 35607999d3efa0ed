"""The lines of our logs: each has a time, a level and a process, whatever a client sent, and steers no terminal.

Those that are written about a request, or a job, say which. Standard library only: the dispatcher writes them, too.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from contextvars import ContextVar
from datetime import datetime
from typing import Any

OURS = logging.getLogger("geomill")  # what all of our modules write to
TEXT, JSON = "text", "json"
LONGEST = 200  # characters of what a line is about
# of lines that this thread writes: request, job, tenant, caller; what is unknown is left out
_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)
_format = TEXT


def use(format: str) -> None:
    """Write lines so in this process from now on, TEXT or JSON."""
    global _format
    _format = format


def formatter() -> logging.Formatter:
    """What writes them."""
    return Objects() if _format == JSON else Lines()


def about_anew(**members: str) -> None:
    """Let lines of this thread say what they are about, until `forget`; what is "" is unknown."""
    _about.set(members)


def about(**members: str) -> None:
    """Let them say more than before."""
    _about.set({**(_about.get() or {}), **members})


def forget() -> None:
    """Let them say so no longer."""
    _about.set(None)


def of_job(job_id: str, tenant: str) -> dict[str, Any]:
    """For `extra` of a line about a job, whoever writes it."""
    return {"about": {"job": job_id, "tenant": tenant}}


class Lines(logging.Formatter):
    """Every line has that head, those of a traceback, too; what follows the first of a record is indented after it."""

    def format(self, record: logging.LogRecord) -> str:
        """Called by logging."""
        head = f"{_moment(record)} {record.levelname} [{record.process}] "
        first, *more = super().format(record).split("\n")
        if request := _subject(record).get("request"):
            first += f" (request {request})"
        return head + f"\n{head}    ".join(map(escaped, [first, *more]))


class Objects(logging.Formatter):
    """Every record is an object in JSON, on one line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Called by logging."""
        said = {"time": _moment(record), "level": record.levelname, "pid": record.process, "logger": record.name}
        said |= {"message": record.getMessage(), **_subject(record)}
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str).replace("\x7f", "\\u007f")


def is_json() -> bool:
    """Whether lines are objects."""
    return _format == JSON


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


def _subject(record: logging.LogRecord) -> dict[str, Any]:
    """What a record is about: it says so itself, or it is written in a request."""
    found = {**(_about.get() or {}), **getattr(record, "about", {})}
    return {name: each[:LONGEST] if isinstance(each, str) else each for name, each in found.items() if each != ""}


def escaped(text: str) -> str:
    """A line in which everything that is not printed (controls, directions, parts of letters) is written out."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class _StandardError(logging.StreamHandler[Any]):
    """Writes each record at once, to what standard error is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """Where to."""
        return sys.stderr


def init_app(format: str) -> None:
    """Write so what any part of Geomill says in this process, unless that is seen to. format: TEXT or JSON."""
    use(format)
    if not OURS.handlers:  # and Flask finds that there is one, and adds none of its own
        OURS.addHandler(_StandardError())
    for handler in OURS.handlers:
        if isinstance(handler, _StandardError):
            handler.setFormatter(formatter())


def begin(format: str) -> None:
    """The same for the dispatcher. What others log, a user's code among them, is not our business."""
    init_app(format)
    OURS.setLevel(logging.INFO)
    OURS.propagate = False


class Seldom:
    """What may happen a thousand times a second is said once in a while, with how often it was not said."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._next, self._left_out = 0.0, 0

    def say(self, log: logging.Logger, text: str, *values: object, extra: dict[str, Any] | None = None) -> None:
        """Log a warning, if it is time. extra: as logging takes it."""
        with self._lock:
            if time.monotonic() < self._next:
                self._left_out += 1
                return
            self._next = time.monotonic() + self.seconds
            left_out, self._left_out = self._left_out, 0
        more = f" ({left_out} more of this kind since the last line)" if left_out else ""
        log.warning(text + "%s", *values, more, extra=extra)
