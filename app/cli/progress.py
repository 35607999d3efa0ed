"""How a job goes, shown while one waits for it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO, TextIO

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


class Sending:
    """A file that is sent, with a bar on a terminal; a small one is gone before anybody reads that."""

    def __init__(self, file: BinaryIO, name: str, size: int, stream: TextIO | None = None) -> None:
        """size: bytes; stream: standard error when left out."""
        self._file, self._name, self._size, self._sent, self._shown = file, clean(name), size, 0, ""
        self._stream = stream or sys.stderr
        self._moving = self._stream.isatty()

    def read(self, size: int = -1) -> bytes:
        """Another piece of it."""
        piece = self._file.read(size)
        self._sent += len(piece)
        self._show("" if self._sent >= self._size else _percents(f"sending {self._name}", self._sent / self._size))
        return piece

    def tell(self) -> int:
        """How much of it was sent."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Begin again, after a redirect."""
        self._sent = self._file.seek(offset, whence)
        return self._sent

    def _show(self, text: str) -> None:
        if self._moving and text != self._shown:
            self._stream.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
            self._stream.flush()
            self._shown = text


def _percents(name: str, share: float) -> str:
    full = round(BAR * share)
    return f"{name} [{'#' * full}{'-' * (BAR - full)}] {round(100 * share):3d} %"


def _bar(status: Json) -> str:
    percent = _percent(status) or 0
    state = f"{clean(status.get('status')):<10}"
    return f"{_percents(state, percent / 100)}  {clean(status.get('message'))}"


def _words(status: Json) -> str:
    percent = _percent(status)
    words = [clean(status.get("status")), "" if percent is None else f"{percent} %", clean(status.get("message"))]
    return "  ".join(word for word in words if word)


def _percent(status: Json) -> int | None:
    value = status.get("progress")
    return max(0, min(100, int(value))) if isinstance(value, int | float) else None
