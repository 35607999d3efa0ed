"""Ending processes for certain: by identity, never by a bare pid; whole trees, however they fork."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path

from geomill.jobstore import alive
from geomill.jobstore.alive import start_time

__all__ = ["children", "descendants", "kill_holders", "kill_tree", "open_process", "parent", "start_time",
           "wait_for_end"]  # fmt: skip


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
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += [int(word) for word in file.read().split()]
    return found


def descendants(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def kill_holders(folder: Path, seconds: float) -> None:
    """SIGKILL whoever works in the scratch of a job, or can write there or to its log; for so long at most.

    That finds what no supervisor and no namespace ended, unless it closed everything and left.
    """
    deadline = time.monotonic() + seconds
    while found := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _holds(pid, str(folder))]:
        kill_tree(found)
        if time.monotonic() > deadline:
            break


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
