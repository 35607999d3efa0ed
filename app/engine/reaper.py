"""Ending processes for certain: by identity, never by a bare pid; whole trees, however they fork."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None when it is gone. With the pid it names it beyond doubt."""
    stat = _stat(pid)
    return int(stat[19]) if stat else None


def parent(pid: int) -> int | None:
    """The parent's pid, or None when the process is gone."""
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def open_process(pid: int | None, began: int | None) -> int | None:
    """A pidfd of exactly this process, or None when it has ended."""
    if pid is None:
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if start_time(pid) == began and not _zombie(pid):
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


def _stat(pid: int) -> list[str] | None:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None


def _zombie(pid: int) -> bool:
    stat = _stat(pid)
    return not stat or stat[0] == "Z"
