"""Logs for people to read: the end of one, which a job wrote, who may have written anything; and one that is empty."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask import Response, request

from geomill.app.negotiation import HTML, TEXT, chosen
from geomill.app.pages import render
from geomill.jobstore import StatusInfo

LINES, BYTES = 200, 32 * 1024  # of a log that a page shows at most
WIDEST = 2000  # characters of a line
LAST = 20  # lines that are shown of a failure
# it lies where the job can put anything: a link, or a pipe that nobody reads
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# colours, titles, moves of the cursor. ECMA-48, 5.4 and 5.6
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
# what is left of control characters, and what turns the direction of text around
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class End:
    """The end of a log. size: bytes of all of it, as it was read; cut: there is more before."""

    lines: list[str]
    size: int
    cut: bool

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)


def end_of(path: Path) -> End:
    """The end of a log; nothing where there is none."""
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        return End([], 0, False)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return End([], 0, False)
        begin = max(0, found.st_size - BYTES)
        content = os.pread(descriptor, found.st_size - begin, begin)
    finally:
        os.close(descriptor)
    lines = content.decode(errors="replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if begin and len(lines) > 1:  # the first may be the end of a line
        lines = lines[1:]
    return End([clean(line) for line in lines[-LINES:]], found.st_size, begin > 0 or len(lines) > LINES)


def clean(line: str) -> str:
    """A line as a terminal would leave it, without its colours; control characters are made visible."""
    shown = _ESCAPES.sub("", line.rstrip("\r")).rpartition("\r")[2]
    shown = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", shown)
    more = len(shown) - WIDEST
    return shown if more <= 0 else f"{shown[:WIDEST]} ... {more} more characters"


def raised(lines: Sequence[str]) -> str | None:
    """The exception at the end of a Python traceback, if there is one."""
    begin = next((number for number in reversed(range(len(lines))) if lines[number].startswith("Traceback (")), None)
    if begin is None:
        return None
    return next((line for line in lines[begin + 1 :] if line and not line[0].isspace()), None)


def wanted() -> bool:
    """Whether a person asks, to whom an empty answer would look like a mistake; a log with lines is text for all."""
    return chosen(request, (TEXT, HTML)) == HTML


def empty(info: StatusInfo, step: str | None = None) -> Response:
    """The page of a log that nothing was written to, or not yet. step: whose, None for that of the job."""
    response = render("empty_log.html", info=info, step=step)
    response.vary.add("Accept")
    return response
