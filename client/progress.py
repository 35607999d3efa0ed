"""How a job goes, shown while one waits for it: on a terminal, in a notebook, or in lines."""

from __future__ import annotations

import math
import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TextIO

from geomill.client.errors import ServiceError, StillRunning
from geomill.client.reply import Json
from geomill.client.service import Address, Service
from geomill.client.show import clean
from geomill.client.states import is_over, percent

SHORTEST, LONGEST, GROWTH = 0.05, 2.0, 1.3  # seconds between two looks at a job, and how they grow
PATIENCE = 60.0  # seconds that a service may be gone while a job of it is waited for
LOOK = 20.0  # seconds that a look may take; the next one may be answered
LEAST = 0.5  # seconds that the last look has, when the time is as good as over
BAR = 30  # characters


class Display(ABC):
    """Where people see how a job goes."""

    @abstractmethod
    def show(self, status: Json) -> None:
        """Show the status of a job, instead of what was shown before."""

    def close(self) -> None:  # noqa: B027  most have nothing to take away
        """Leave room for what comes next."""


class Silence(Display):
    """Nowhere."""

    def show(self, status: Json) -> None:
        """Show nothing."""


class Lines(Display):
    """A line for each change."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """stream: standard error when left out."""
        self._stream, self._shown = stream or sys.stderr, ""

    def show(self, status: Json) -> None:
        """Write a line, if it is another than before."""
        if (text := words(status)) != self._shown:
            self._stream.write(f"{text}\n")
            self._stream.flush()
            self._shown = text


class Bar(Display):
    """A bar that is drawn over itself, on a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """stream: standard error when left out."""
        self._line = Line(stream)

    def show(self, status: Json) -> None:
        """Draw it."""
        state = f"{clean(status.get('status')):<10}"
        self._line.write(f"{percents(state, (percent(status) or 0) / 100)}  {clean(status.get('message'))}")

    def close(self) -> None:
        """Take it away."""
        self._line.write("")


class Line:
    """One line of a terminal that is written over itself."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """stream: standard error when left out."""
        self._stream, self._shown = stream or sys.stderr, ""

    def write(self, text: str) -> None:
        """Write text that cannot steer the terminal, as far as there is room."""
        if text != self._shown:
            self._stream.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
            self._stream.flush()
            self._shown = text


def display(stream: TextIO | None = None) -> Display:
    """What suits standard error, or another stream."""
    return Bar(stream) if (stream or sys.stderr).isatty() else Lines(stream)


def watch(service: Service, job: Address, timeout: float | None = None) -> Iterator[Json]:
    """The status of a job whenever it has changed; the last one is how it ended.

    timeout: seconds. Raises StillRunning after that, and ServiceError when the service is gone for long.
    """
    if timeout is not None and math.isnan(timeout):
        raise ValueError("timeout: expected seconds, or None, found nan")
    delay, before, answered = SHORTEST, None, time.monotonic()
    end = math.inf if timeout is None else answered + timeout
    while True:
        rest, trouble = 0.0, None
        try:
            status, rest = service.look(job, max(LEAST, min(LOOK, end - time.monotonic())))
            answered = time.monotonic()
        except ServiceError as error:
            if not error.passing or time.monotonic() - answered > PATIENCE:
                raise
            status, trouble = before or {}, error
        if status != before and status:
            yield status
            delay = SHORTEST if before is None else min(delay, LONGEST / 4)
        if status and is_over(status):
            return
        before = status
        left = end - time.monotonic()
        if left <= 0:
            said = f"; the last look: {trouble}" if trouble else ""
            raise StillRunning(f"the job {job.job_id} has not ended after {timeout:g} s; it goes on{said}") from trouble
        time.sleep(min(max(delay, rest), left))
        delay = min(delay * GROWTH, LONGEST)


def follow(service: Service, job: Address, shown: Display | None = None, timeout: float | None = None) -> Json:
    """Wait for a job to end, showing how it goes; gives how it ended. Raises as `watch` does."""
    shown = shown or display()
    status: Json = {}
    try:
        for status in watch(service, job, timeout):
            shown.show(status)
    finally:
        shown.close()
    return status


def percents(name: str, share: float) -> str:
    """A bar that is so full."""
    full = round(BAR * share)
    return f"{name} [{'#' * full}{'-' * (BAR - full)}] {round(100 * share):3d} %"


def words(status: Json) -> str:
    """A status in a line."""
    done = percent(status)
    said = [clean(status.get("status")), "" if done is None else f"{done} %", clean(status.get("message"))]
    return "  ".join(word for word in said if word)
