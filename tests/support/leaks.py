"""Finds the processes that a test has started and left: descendants of this process, which adopts orphans."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from support.waiting import holds

from geomill.app.cwl.validate import reader
from geomill.app.engine import reaper

PATIENCE = 30.0  # seconds in which what was told to go has to go; a template that still imports cwltool takes some
TEMPLATES = {"geomill-base", "geomill-geo", "geomill-cwl", "geomill-reader"}  # all that is kept warm

# without one of these nobody comes into being, here or at a server that is asked for it
STARTING = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
ASKING = {"socket.connect", "socket.sendmsg"}

_shared: set[tuple[int, int | None]] = set()
_trees: set[tuple[int, int | None]] = set()
_stirred = True
_known: set[tuple[int, int | None]] = set()


def _notice(event: str, _: tuple[object, ...]) -> None:
    global _stirred
    if event in STARTING or event in ASKING:
        _stirred = True


sys.addaudithook(_notice)


class Seen(NamedTuple):
    """A process, named beyond doubt."""

    pid: int
    start_time: int | None
    name: str = ""


def share(pid: int, *, with_descendants: bool = False) -> None:
    """Say that a process serves several tests: it and its children (workers, templates) are no leak of any.

    with_descendants: nor is anything below them, as in a browser, which has processes as it likes.
    """
    (_trees if with_descendants else _shared).add((pid, reaper.start_time(pid)))


def unshare(processes: set[tuple[int, int | None]]) -> None:
    """Say that these processes, and what is below them, serve nobody any more."""
    _shared.difference_update(processes)
    _trees.difference_update(processes)


def children(pid: int) -> list[int]:
    """The children of a process that have not ended."""
    return [child for child in reaper.children(pid) if running_name(child)]


def processes() -> set[tuple[int, int | None]]:
    """All descendants of this process; looked for where there may be others than last time."""
    global _stirred, _known
    if _is_stirred():
        _stirred = False
        _known = {(pid, reaper.start_time(pid)) for pid in reaper.descendants(os.getpid())}
    return _known


def _is_stirred() -> bool:
    """A browser asks servers for what it likes."""
    return _stirred or bool(_trees)


def wait_for_none(before: set[tuple[int, int | None]]) -> list[str]:
    """What runs now and did not before; waited for first, killed then."""
    if not _is_stirred():
        return []
    zombies = {(pid, reaper.start_time(pid)) for pid in reaper.children(os.getpid()) if not running_name(pid)}
    for pid, _ in zombies:
        _reap(pid, os.getpid())
    if holds(lambda: not _new(before), PATIENCE):
        return _restless() if zombies - before else []
    left = _new(before)
    reaper.kill_tree([each.pid for each in left])
    holds(lambda: not _new(before), PATIENCE)
    return [f"{each.name} {each.pid}" for each in left]


def running_name(pid: int) -> str:
    """A process's name; empty for one that has ended."""
    name, state = _name_and_state(pid)
    return "" if state in "ZX" else name


def _name_and_state(pid: int) -> tuple[str, str]:
    with suppress(OSError):
        content = Path(f"/proc/{pid}/stat").read_text()
        return content.partition("(")[2].rpartition(")")[0], content.rpartition(")")[2].split()[0]
    return "", "X"


def _restless() -> list[str]:
    """Who is born to the tests and ends, every moment: each is gone when it is looked for, only its zombie tells."""
    begun = time.clock_gettime(time.CLOCK_BOOTTIME)
    time.sleep(0.05)
    zombies = [pid for pid in reaper.children(os.getpid()) if not running_name(pid)]
    late = [pid for pid in zombies if (reaper.start_time(pid) or 0) > (begun + 0.01) * os.sysconf("SC_CLK_TCK")]
    names = {pid: _name_and_state(pid)[0] for pid in late}
    return [f"{name} {pid}" for pid, name in names.items() if not name.startswith("geomill-")]


def _new(before: set[tuple[int, int | None]]) -> list[Seen]:
    """What is neither known nor shared; a template, or its spare, of a server that was there before is no leak."""
    found = []
    known = before | _shared | {(reader.pid or 0, reaper.start_time(reader.pid or 0))}  # of the applications in here
    for pid in reaper.descendants(os.getpid()):
        seen = Seen(pid, reaper.start_time(pid), running_name(pid))
        if seen[:2] in known:
            continue
        family = _ancestors(pid)
        if not seen.name:
            _reap(pid, reaper.parent(pid))
        elif not (
            _shared & set(family[:1])
            or _trees & {seen[:2], *family}
            or (seen.name in TEMPLATES and known & set(family))
        ):
            found.append(seen)
    return found


def _ancestors(pid: int) -> list[tuple[int, int | None]]:
    """The parent of a process, its parent, and so on; the tests themselves are not among them."""
    found: list[tuple[int, int | None]] = []
    while (pid := reaper.parent(pid) or 0) > 1 and pid != os.getpid():
        found.append((pid, reaper.start_time(pid)))
    return found


def _reap(pid: int, parent: int | None) -> None:
    if parent == os.getpid():
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal, and with SIGKILL wait until it has worked."""
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, number)
        assert number != signal.SIGKILL or reaper.wait_for_end(pidfd, 5)
    finally:
        os.close(pidfd)
