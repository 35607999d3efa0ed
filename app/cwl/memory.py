"""How much memory a tool took at its peak."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
from collections.abc import Callable
from pathlib import Path

_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
FIRST, LONGEST, SLOWER = 0.002, 0.5, 1.5  # seconds between two looks, from often to rarely


def watch(pid: int, look: Callable[[], bool]) -> int:
    """Follow a process and all below it to its end, which is left to be waited for: the highest peak seen, bytes.

    look: called now and then; when it says so, the next time is soon.
    """
    highest, pause = 0, FIRST
    ended = select.poll()
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return 0
    try:
        ended.register(descriptor, select.POLLIN)
        while not ended.poll(pause * 1000):
            highest = max([highest, *map(_peak, _below(pid))])
            pause = FIRST if look() else min(LONGEST, pause * SLOWER)
    finally:
        os.close(descriptor)
    return highest


def peak(used: resource.struct_rusage, seen: int) -> int | None:
    """The peak in bytes: what the kernel says, unless that is what this process had when it forked; else what was seen.

    A process begins as a copy of the one that forked it, and the kernel counts that.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used.ru_maxrss * 1024 if used.ru_maxrss > own else seen or None


def _below(pid: int) -> list[int]:
    """The processes below one."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{each}/task"):
                found += map(int, Path(f"/proc/{each}/task/{task}/children").read_text().split())
    return found[1:]


def _peak(pid: int) -> int:
    with contextlib.suppress(OSError):
        if match := _PEAK.search(Path(f"/proc/{pid}/status").read_text()):
            return int(match[1]) * 1024
    return 0
