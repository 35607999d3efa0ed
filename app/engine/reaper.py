"""Ending processes for certain: by identity, never by a bare pid; whole trees, however they fork."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path

from geomill.jobstore import alive, files
from geomill.jobstore.alive import start_time

__all__ = ["children", "descendants", "kill_holders", "kill_tree", "open_process", "parent", "start_time",
           "wait_for_end"]  # fmt: skip

_GLANCES, _BETWEEN_GLANCES = 400, 0.0002  # seconds
_NEWEST = 16  # processes that may be younger than one that was born a moment ago


def parent(pid: int) -> int | None:
    """The parent's pid, or None when the process is gone."""
    found = alive.stat(pid)
    return int(found[1]) if found else None


def open_process(pid: int | None, began: int | None) -> int | None:
    """A pidfd of exactly this process, or None when it has ended."""
    if pid is None:
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if alive.is_alive(pid, began):
        return descriptor
    os.close(descriptor)
    return None


def wait_for_end(pidfd: int, seconds: float) -> bool:
    """Whether the process ended within this time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(0, seconds) * 1000))


def children(pid: int) -> list[int]:
    """The children of a process, in all its threads."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, files.read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def descendants(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def kill_holders(folder: Path, seconds: float) -> bool:
    """SIGKILL whoever works in the scratch of a job, or can write there or to its log; whether none is left in time.

    That finds what no supervisor and no namespace ended, unless it closed everything and left.
    """
    deadline = time.monotonic() + seconds
    while found := _holders(str(folder)):
        kill_tree(found)
        if time.monotonic() > deadline:
            return False
    return True


def _holders(folder: str) -> list[int]:
    """Who holds a folder, among all processes and then, for a moment, among the newest.

    One that forks and ends every millisecond is gone by the time a long list has come to him.
    """
    if found := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _holds(pid, folder)]:
        return found
    for _ in range(_GLANCES):
        if found := [pid for pid in _newest() if _holds(pid, folder)]:
            return found
        time.sleep(_BETWEEN_GLANCES)
    return []


def _newest() -> range:
    """The pids that were given last, the very last first."""
    with open("/proc/loadavg") as file:
        last = int(file.read().split()[4])
    return range(last, max(last - _NEWEST, 1), -1)


def _holds(pid: int, folder: str) -> bool:
    with suppress(OSError, ValueError):  # it has ended, or belongs to somebody else
        if os.readlink(f"/proc/{pid}/cwd").startswith(f"{folder}/work"):
            return True
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = os.readlink(f"/proc/{pid}/fd/{name}")
            if path.startswith((f"{folder}/work", f"{folder}/log")):
                with open(f"/proc/{pid}/fdinfo/{name}") as file:  # pos, flags
                    if int(file.read().split()[3], 8) & os.O_ACCMODE != os.O_RDONLY:
                        return True
    return False


def kill_tree(roots: list[int]) -> None:
    """SIGKILL these processes and all their descendants; frozen first, so that none can fork away."""
    seen: dict[int, int] = {}
    try:
        while True:
            new = [pid for root in roots for pid in (root, *descendants(root)) if pid not in seen]
            if not new:
                break
            for pid in new:
                with suppress(OSError):
                    seen[pid] = os.pidfd_open(pid)
                    signal.pidfd_send_signal(seen[pid], signal.SIGSTOP)
                seen.setdefault(pid, -1)
        for pidfd in seen.values():
            with suppress(OSError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        for pidfd in seen.values():
            with suppress(OSError):
                os.close(pidfd)
