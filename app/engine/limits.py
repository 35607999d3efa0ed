"""What a job may use: kernel limits on each of its processes, and a look at all of them together now and then.

The kernel's hold at once, but for one process at a time; a job of many processes is found out by who looks.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from geomill.app.engine import stillness, usage
from geomill.jobstore import Limits, files

CAUSES = ("cpu-limit", "out-of-memory", "process-limit", "file-limit", "work-limit", "output-limit")
STARVED = "the kernel had no memory left, and ended processes"
SLACK = 256 << 20  # bytes: stacks of threads, and what is asked for and never touched
LAST_WORDS = 64 << 20  # bytes more for who has run out of memory, to say so
FIRST, SLOWER, LONGEST = 0.25, 1.5, 1.0  # seconds until the first look at a job, and between two later
RAREST, WHOLE = 4.0, 10.0  # seconds: between two glances at a job that does little, and between two whole looks at it
LASTING = 300.0  # seconds until there is a whole look at one that has not run at all
TOGETHER = 0.25  # seconds: jobs that do nothing are looked at together, so each finds in the cache what the last needed
SHARE = 20  # of the time between two looks, which one may take
PIECE = 0.02  # seconds to look at the working directory at a time
_KILLED_LATER = 5  # seconds of processor time that a process has to heed SIGXCPU


@dataclass(frozen=True)
class Excess:
    """A limit that was overstepped. cause: as in StatusInfo."""

    cause: str
    message: str


def bind(limits: Limits, processes: int) -> None:
    """Let this process, and each that it starts, use no more. processes: of its user; 0 where others have him, too."""
    _lower(resource.RLIMIT_CORE, 0)
    if limits.files:
        _lower(resource.RLIMIT_NOFILE, limits.files)
    if limits.cpu_seconds:
        seconds = math.ceil(limits.cpu_seconds)
        _lower(resource.RLIMIT_CPU, seconds, seconds + _KILLED_LATER)
    if limits.memory_limit:
        most = _private() + limits.memory_limit + SLACK
        _lower(resource.RLIMIT_DATA, most, most + LAST_WORDS)
    if limits.work:
        _lower(resource.RLIMIT_FSIZE, limits.work)
    if processes:
        _lower(resource.RLIMIT_NPROC, processes)


class Watch:
    """Looks at a job: late, since most are short, then ever more rarely, and never for long.

    At one that has done nothing since it is only glanced at: hundreds may wait for something.
    """

    def __init__(self, limits: Limits, root: int, work: Path) -> None:
        """root: the pid of the supervisor as the host sees it; work: the job's directory."""
        self.limits, self.root, self._work = limits, root, work
        self.pause = FIRST
        self.due = time.monotonic() + FIRST
        self._device: int | None = None
        self._seen = -math.inf  # when all of it was, at the last whole look
        self._used: usage.Usage  # then
        self._still: stillness.Stillness | None = None  # just before

    @cached_property
    def scratch(self) -> usage.Scratch:
        """The job's directory; most jobs end before anybody looks at it."""
        return usage.Scratch(self._work)

    def is_needless(self) -> bool:
        """Whether it is time for a look at a job that has not run since the last one; the next is due later then."""
        now = time.monotonic()
        if self._still is None or not self.due <= now < self._seen + LASTING or not self._still.lasts():
            return False
        self._rest(now)
        return True

    def look(self) -> Excess | None:
        """What the job uses too much of."""
        begin = time.monotonic()
        if begin < self._seen + WHOLE and self._used.is_still_so():
            excess, whole = self._look_at_scratch()
            self._rest(begin)
            self._seen = self._seen if whole else -math.inf
            return excess
        still = stillness.of(self.root)
        excess, whole = self._look()
        end = time.monotonic()
        self.pause = max(min(self.pause * SLOWER, LONGEST), SHARE * (end - begin))
        self.due, self._seen = end + self.pause, end if whole else -math.inf
        self._still = still if still and still.clocks.keys() == self._used.seen.keys() else None
        return excess

    def _rest(self, now: float) -> None:
        """Look less often."""
        self.pause = min(self.pause * SLOWER, RAREST)
        self.due = (now + self.pause) // TOGETHER * TOGETHER

    def _look(self) -> tuple[Excess | None, bool]:
        """The same, at everything; and whether all of its scratch was seen."""
        if self._device is None:
            with suppress(OSError):
                self._device = self.scratch.folder.stat().st_dev
        used = self._used = usage.of(self.root, self.limits.memory_limit, self._device)
        excess = self._judge(used)
        return (excess, True) if excess else self._look_at_scratch()

    def _look_at_scratch(self) -> tuple[Excess | None, bool]:
        """The same, at the job's directory."""
        if not (self.limits.work or self.limits.work_files):
            return None, True
        whole = self.scratch.look(PIECE)
        return self._judge_scratch(self._used.unlinked), whole

    def _judge(self, used: usage.Usage) -> Excess | None:
        limits = self.limits
        if limits.memory_limit and used.memory > limits.memory_limit:
            return Excess("out-of-memory", f"used {used.memory} bytes of memory; {told('out-of-memory', limits)}")
        if limits.processes and used.tasks > limits.processes:
            return Excess("process-limit", f"had {used.tasks} processes and threads; {told('process-limit', limits)}")
        if limits.cpu_seconds and used.cpu + ended() > limits.cpu_seconds:
            return Excess("cpu-limit", f"used up its processor time; {told('cpu-limit', limits)}")
        return None

    def _judge_scratch(self, unlinked: int) -> Excess | None:
        limits, scratch = self.limits, self.scratch
        if limits.work and (size := scratch.size + unlinked) > limits.work:
            return Excess("work-limit", f"had {size} bytes in its working directory; {told('work-limit', limits)}")
        if limits.work_files and scratch.count > limits.work_files:
            text = f"had {scratch.count} files in its working directory; {told('work-limit', limits)}"
            return Excess("work-limit", text)
        if not scratch.fathomable:
            return Excess("work-limit", "has folders in its working directory that are too deep to be looked into")
        return None


def told(cause: str, limits: Limits) -> str:
    """What the limit is."""
    return {
        "cpu-limit": f"its limit is {limits.cpu_seconds:g} s",
        "out-of-memory": f"its limit is {limits.memory_limit} bytes" if limits.memory_limit else "the host has no more",
        "process-limit": f"its limit is {limits.processes}",
        "file-limit": f"its limit is {limits.files} open files",
        "work-limit": f"its limit is {limits.work} bytes and {limits.work_files} files",
        "output-limit": f"its limit is {limits.output} bytes",
    }[cause]


def by_signal(number: int, limits: Limits, starved: bool) -> Excess | None:
    """The limit that a signal was sent for. starved: the kernel has ended somebody for want of memory meanwhile."""
    if number == signal.SIGXCPU or (limits.cpu_seconds and number == signal.SIGKILL and ended() > limits.cpu_seconds):
        return Excess("cpu-limit", f"used up its processor time; {told('cpu-limit', limits)}")
    if number == signal.SIGXFSZ:
        return Excess("work-limit", f"wrote too large a file; {told('work-limit', limits)}")
    if number == signal.SIGKILL and starved:
        return Excess("out-of-memory", f"ended by signal 9 (Killed); {STARVED}")
    return None


def ended() -> float:
    """Seconds of processor time of all that this process has waited for, and of all that they had waited for."""
    times = os.times()
    return times.children_user + times.children_system


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    """Set a limit on this process, if it is below the one that there is."""
    _, most = resource.getrlimit(kind)
    hard = soft if hard is None else hard
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(kind, (soft, hard))


def _private() -> int:
    """Bytes of private, writable memory that this process began with."""
    return int(files.read("/proc/self/statm").split()[5]) * resource.getpagesize()
