"""How a job ended: what the end of its child means, and what trouble of its supervisor does."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomill.app.engine import child, limits
from geomill.jobstore import JobCorrupt, Limits, Status, torn

LONGEST_MESSAGE = 2000  # characters of a status


@dataclass
class Ending:
    """cause and message: of a failure, as in StatusInfo."""

    status: Status
    cause: str | None = None
    message: str | None = None


def of_child(
    exit_status: int, results: dict[str, Any] | str | None, failure: dict[str, Any] | None, bounds: Limits,
    starved: Callable[[], bool],
) -> Ending:  # fmt: skip
    """What the end of the child means; who lost a process to the kernel may have said anything.

    exit_status: as of waitpid; results, failure: what it said, or why its results cannot be read;
    starved: whether the kernel has ended somebody for want of memory meanwhile.
    """
    ending = _own(exit_status, results, failure, bounds, starved)
    if ending.cause in ("exception", "exit") and starved():
        return Ending(Status.FAILED, "out-of-memory", f"{ending.message}; {limits.STARVED}")
    return ending


def _own(
    exit_status: int, results: dict[str, Any] | str | None, failure: dict[str, Any] | None, bounds: Limits,
    starved: Callable[[], bool],
) -> Ending:  # fmt: skip
    """What the end of the child says by itself."""
    if failure is not None:
        cause = failure.get("cause")
        told = cause if cause in child.CAUSES else "exception"
        message = str(failure.get("message"))[:LONGEST_MESSAGE]
        limit = f"; {limits.told(told, bounds)}" if told in limits.CAUSES else ""
        return Ending(Status.FAILED, told, message + limit)
    if os.WIFSIGNALED(exit_status):
        number = os.WTERMSIG(exit_status)
        if excess := limits.by_signal(number, bounds, starved()):
            return Ending(Status.FAILED, excess.cause, excess.message)
        return Ending(Status.FAILED, "signal", f"ended by signal {number} ({signal.strsignal(number)})")
    code = os.WEXITSTATUS(exit_status)
    if code == 0 and isinstance(results, str):
        return Ending(Status.FAILED, "result", results[:LONGEST_MESSAGE])
    if code == 0 and results is not None:
        return Ending(Status.SUCCESSFUL)
    text = "ended before it gave its results" if code == 0 else f"ended with exit code {code}"
    return Ending(Status.FAILED, "exit", text)


def of_trouble(error: Exception, home: Path) -> Ending:
    """What it means that the supervisor failed. home: which means nothing to anybody."""
    cause = "disk-full" if is_full(error) else torn.CORRUPT if isinstance(error, JobCorrupt) else "lost"
    return Ending(Status.FAILED, cause, f"the supervisor failed: {error}".replace(f"{home}/", ""))


def is_full(error: Exception) -> bool:
    """Whether it is a disk without room."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
