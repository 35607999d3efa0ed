"""How a job goes, shown while one waits for it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from typing import TextIO

from geomill.app.cli.service import Job, Json, Service, is_over
from geomill.app.cli.show import clean

SHORTEST, LONGEST, GROWTH = 0.05, 2.0, 1.3  # seconds between two looks at a job, and how they grow
BAR = 30  # characters


def watch(service: Service, job: Job) -> Iterator[Json]:
    """The status of a job whenever it has changed; the last one is how it ended."""
    delay, before = SHORTEST, None
    while True:
        status = service.status(job)
        if status != before:
            yield status
            delay = SHORTEST if before is None else min(delay, LONGEST / 4)
        if is_over(status):
            return
        before = status
        time.sleep(delay)
        delay = min(delay * GROWTH, LONGEST)


def follow(service: Service, job: Job, stream: TextIO | None = None) -> Json:
    """Wait for a job to end and return how; meanwhile a bar on a terminal, elsewhere a line for each change.

    stream: standard error when left out.
    """
    stream = stream or sys.stderr
    moving = stream.isatty()
    status: Json = {}
    shown = ""
    for status in watch(service, job):
        text = _bar(status) if moving else _words(status)
        if text != shown:
            stream.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}" if moving else f"{text}\n")
            stream.flush()
        shown = text
    if moving:
        stream.write("\r\x1b[K")
        stream.flush()
    return status


def _bar(status: Json) -> str:
    percent = _percent(status) or 0
    full = round(BAR * percent / 100)
    state, message = clean(status.get("status")), clean(status.get("message"))
    return f"{state:<10} [{'#' * full}{'-' * (BAR - full)}] {percent:3d} %  {message}"


def _words(status: Json) -> str:
    percent = _percent(status)
    words = [clean(status.get("status")), "" if percent is None else f"{percent} %", clean(status.get("message"))]
    return "  ".join(word for word in words if word)


def _percent(status: Json) -> int | None:
    value = status.get("progress")
    return max(0, min(100, int(value))) if isinstance(value, int | float) else None
