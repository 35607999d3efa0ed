"""Counts of system calls, by strace: they do not depend on who else uses the machine."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.mill import until
from examples.backstage import expect

SYNCS = ("fsync", "fdatasync", "sync_file_range", "sync", "syncfs")
_CHANCE = ("futex", "rt_sigreturn", "sched_yield", "restart_syscall")
_LINE = re.compile(r"^(?:\d+ +)?(?:\d+\.\d+ )?(\w+)\(", re.MULTILINE)


def can_trace() -> bool:
    """Whether system calls can be counted here."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True).returncode == 0  # noqa: S607


def calls(pids: Sequence[int], work: Callable[[], Any]) -> Counter[str]:
    """The system calls that these processes make while something is done, by name; but for those of threads that

    wait for each other, of which chance decides how many there are.
    """
    with tracing(pids) as counted:
        work()
    return counted


@contextmanager
def tracing(pids: Sequence[int]) -> Iterator[Counter[str]]:
    """Count what processes do meanwhile, their threads and children included; the counts are there at the end."""
    counted: Counter[str] = Counter()
    with TemporaryDirectory(prefix="geomill-bench-", dir="/tmp") as folder:
        output = Path(folder) / "calls"
        options = [option for pid in pids for option in ("-p", str(pid))]
        strace = subprocess.Popen(["strace", "-f", "-qq", "-o", output, *options], stderr=subprocess.PIPE)  # noqa: S607
        try:
            until(lambda: strace.poll() is not None or all(map(_is_traced, pids)))
            expect(strace.poll() is None, "strace cannot attach to the server")
            yield counted
        finally:
            strace.send_signal(signal.SIGINT)
            strace.communicate()
        counted.update(name for name in _LINE.findall(output.read_text()) if name not in _CHANCE)


def _is_traced(pid: int) -> bool:
    """Whether every thread of a process is."""
    statuses = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return all("TracerPid:\t0\n" not in status for status in statuses)
