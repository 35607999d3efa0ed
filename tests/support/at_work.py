"""Finds the processes of a job, seen from outside: by working directory and open files, which the forked inherit."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SERVER = "geomill.app.cli"  # in the command line of a master and its workers
DISPATCHER = "geomill-dispatc"  # the name of a dispatcher and its chores; no job of a test takes it


class Seen(NamedTuple):
    """Somebody who holds a file of a job: who it was, in what state, and which file."""

    pid: int
    name: str
    state: str
    parent: int
    command: str
    path: str


def at_work(job_id: str) -> list[Seen]:
    """The processes that are in a job's folder or have a file of it open. job_id: or any other part of the path.

    Those of the server, and these tests, are none of the job: they read what a job says of itself at any moment.
    """
    return [seen for seen in holders(job_id) if not is_of_the_server(seen)]


def holders(job_id: str) -> list[Seen]:
    """Everybody who is in a job's folder or has a file of it open."""
    pids = map(int, filter(str.isdigit, os.listdir("/proc")))
    return [seen for pid in pids if (path := _held(pid, job_id)) and (seen := _seen(pid, path))]


def is_of_the_server(seen: Seen) -> bool:
    """Whether it is the dispatcher, a chore of its, a web worker, or these tests."""
    return seen.pid == os.getpid() or seen.name == DISPATCHER or SERVER in seen.command


def _held(pid: int, job_id: str) -> str:
    """What of a job a process holds; nothing when it has ended, or belongs to somebody else."""
    with suppress(OSError):
        paths = [f"/proc/{pid}/cwd", *(f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd"))]
        return next((target for path in paths if job_id in (target := _target(path))), "")
    return ""


def _seen(pid: int, path: str) -> Seen | None:
    with suppress(OSError):
        name, state, parent = _stat(pid)
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return Seen(pid, name, state, parent, command, path)
    return None  # it has ended since


def _stat(pid: int) -> tuple[str, str, int]:
    content = Path(f"/proc/{pid}/stat").read_text()
    name, _, rest = content.partition("(")[2].rpartition(")")
    state, parent = rest.split()[:2]
    return name, state, int(parent)


def _target(path: str) -> str:
    with suppress(OSError):
        return os.readlink(path)
    return ""
