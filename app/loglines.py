"""The lines of our logs: each has a time, a level and a process, whatever a client sent, and steers no terminal.

Standard library only: the dispatcher writes them, too.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from datetime import datetime
from typing import Any

OURS = logging.getLogger("geomill")  # what all of our modules write to


class Lines(logging.Formatter):
    """Every line has that head, those of a traceback, too; what follows the first of a record is indented after it."""

    def format(self, record: logging.LogRecord) -> str:
        """Called by logging."""
        moment = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        head = f"{moment} {record.levelname} [{record.process}] "
        return head + f"\n{head}    ".join(map(escaped, super().format(record).split("\n")))


def escaped(text: str) -> str:
    """A line in which everything that is not printed (controls, directions, parts of letters) is written out."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class _StandardError(logging.StreamHandler[Any]):
    """Writes each record at once, to what standard error is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(Lines())

    @property
    def stream(self) -> Any:
        """Where to."""
        return sys.stderr


def init_app() -> None:
    """Write so what any part of Geomill says in this process, unless that is seen to."""
    if not OURS.handlers:  # and Flask finds that there is one, and adds none of its own
        OURS.addHandler(_StandardError())


def begin() -> None:
    """The same for the dispatcher. What others log, a user's code among them, is not our business."""
    init_app()
    OURS.setLevel(logging.INFO)
    OURS.propagate = False


class Seldom:
    """What may happen a thousand times a second is said once in a while, with how often it was not said."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._next, self._left_out = 0.0, 0

    def say(self, log: logging.Logger, text: str, *values: object) -> None:
        """Log a warning, if it is time."""
        with self._lock:
            if time.monotonic() < self._next:
                self._left_out += 1
                return
            self._next = time.monotonic() + self.seconds
            left_out, self._left_out = self._left_out, 0
        more = f" ({left_out} more of this kind since the last line)" if left_out else ""
        log.warning(text + "%s", *values, more)
