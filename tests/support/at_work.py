"""Finds the processes of a job, seen from outside: by working directory and open files, which the forked inherit."""

from __future__ import annotations

import os
from contextlib import suppress


def at_work(job_id: str) -> list[int]:
    """The pids of all processes that are in a job's folder or have a file of it open."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _holds(pid, job_id)]


def _holds(pid: int, job_id: str) -> bool:
    with suppress(OSError):  # it has ended, or belongs to somebody else
        paths = [f"/proc/{pid}/cwd", *(f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd"))]
        return any(job_id in _target(path) for path in paths)
    return False


def _target(path: str) -> str:
    with suppress(OSError):
        return os.readlink(path)
    return ""
