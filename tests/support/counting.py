"""What processes do, counted: a count is the same on every machine, and time is not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support.waiting import until

_LINE = re.compile(r"^\d+ +(?:\d+\.\d+ +)?(\w+)\(.*\) += (-?\d+)")


class Trace:
    """The system calls that were made while it was written. It is complete when the context that made it has ended."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()  # what the calls gave back, added up, of those that did not fail

    def read(self, path: Path) -> None:
        """Add what strace has written."""
        for line in path.read_text(errors="replace").splitlines():
            if found := _LINE.match(line):
                self.counts[found[1]] += 1
                self.bytes[found[1]] += max(int(found[2]), 0)


@contextmanager
def system_calls(pids: Sequence[int], folder: Path, which: str = "all") -> Iterator[Trace]:
    """The system calls of processes and of all their threads. folder: for the traces; which: as strace's trace=."""
    trace, paths = Trace(), [folder / f"trace.{pid}" for pid in pids]
    with ExitStack() as stack:
        for pid, path in zip(pids, paths, strict=True):
            command = ["strace", "-f", "-qq", "-e", f"trace={which}", "-e", "signal=none", "-o", path, "-p", str(pid)]
            tracer = stack.enter_context(subprocess.Popen([*map(str, command)]))
            stack.callback(tracer.terminate)
            until(lambda pid=pid: _is_traced(pid))  # type: ignore[misc]
        yield trace
    for path in paths:
        trace.read(path)


def _is_traced(pid: int) -> bool:
    """Whether all threads of a process are."""
    texts = [(thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    return all(int(re.findall(r"^TracerPid:\s+(\d+)", text, re.MULTILINE)[0]) for text in texts)


def function_calls(work: Callable[[], Any]) -> int:
    """How many functions this thread calls meanwhile, those in C among them."""
    counted = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted
