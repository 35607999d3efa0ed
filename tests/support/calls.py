"""What running processes ask of the kernel, by strace, and what they call: cheap work is kept cheap by counting."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.waiting import until

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
Call = tuple[str, str]  # its name; what it was given and what it gave, with the paths of descriptors


@contextmanager
def traced(pids: Sequence[int], trace: Path, *, children: bool = True) -> Iterator[list[Call]]:
    """The calls of these processes inside the block, there when it is over. trace: a file to be written.

    children: of those that they fork, too.
    """
    follow = ["-f"] if children else []
    processes = [word for pid in pids for word in ("-p", str(pid))]
    command = ["strace", "-qq", "-y", "-s", "4096", *follow, "-o", str(trace), *processes]
    calls: list[Call] = []
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as strace:
        try:
            until(lambda: all(_tracer(pid) == strace.pid for pid in pids))
            yield calls
        finally:
            strace.send_signal(signal.SIGINT)
    calls += _calls(trace.read_text(errors="replace").splitlines())


def _calls(lines: Iterable[str]) -> Iterator[Call]:
    """The calls; one that others came between has two lines."""
    begun: dict[str, Call] = {}
    for line in lines:
        if found := _LINE.match(line):
            thread, name, text = found.groups()
            begun[thread] = name, text.removesuffix(" <unfinished ...>")
            if text.endswith(" <unfinished ...>"):
                continue
        elif found := _RESUMED.match(line):
            thread, text = found.groups()
            begun[thread] = begun[thread][0], begun[thread][1] + text
        else:
            continue
        yield begun.pop(thread)


def _tracer(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^TracerPid:\s*(\d+)", status, re.MULTILINE)[0])


def given_back(calls: Sequence[Call], *names: str) -> int:
    """What calls of these names gave back, added up: bytes, of most. One that failed gave nothing."""
    found = [re.findall(r"= (\d+)$", text) for name, text in calls if name in names]
    return sum(int(number) for numbers in found for number in numbers)


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
