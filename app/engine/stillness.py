"""Whether anything of a job has run at all: one question to the kernel for each process.

The kernel counts how long a process was on a processor, in nanoseconds. None of its threads has done anything between
two times that are the same: it has started nobody, taken no memory and written nothing. All but: one wake in a hundred
thousand is not counted where the processor is another's at that moment, and the kernel may join pages of who sleeps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from geomill.app.engine import reaper
from geomill.jobstore import files

MOST = 16  # processes that are asked after one by one
_WHOLE_PROCESS = 2  # CPUCLOCK_SCHED; source: linux/posix-timers_types.h


@dataclass(frozen=True)
class Stillness:
    """clocks: by pid, for each process of a tree, the clock of its time on a processor and what that said, nanoseconds.

    Somebody whom one of them has just started may be missing.
    """

    clocks: dict[int, tuple[int, int]]

    def lasts(self) -> bool:
        """Whether none of them has run since, and so no other is there."""
        try:
            for clock, before in self.clocks.values():
                if time.clock_gettime_ns(clock) != before:
                    return False
        except OSError:  # one has ended
            return False
        return True


def of(root: int) -> Stillness | None:
    """How it is now with the descendants of a process, which is in the PID namespace of who asks; None for too many.

    What is to hold as long as it lasts has to be looked at after this, and who they are, once more.
    """
    pids = reaper.descendants(root)
    if not 0 < len(pids) <= MOST:
        return None
    try:
        level = len(_numbers(root)) - 1
        clocks = {pid: clock_of(_numbers(pid)[level]) for pid in pids}
        return Stillness({pid: (clock, time.clock_gettime_ns(clock)) for pid, clock in clocks.items()})
    except (OSError, IndexError):  # one has ended
        return None


def clock_of(pid: int) -> int:
    """The clock of the time that all threads of a process were on a processor. Source: clock_getcpuclockid(3)."""
    return ~pid << 3 | _WHOLE_PROCESS


def _numbers(pid: int) -> list[int]:
    """The pids of a process, from the host's PID namespace inwards. Source: NSpid in proc_pid_status(5)."""
    line = files.read(f"/proc/{pid}/status").partition(b"\nNSpid:")[2].partition(b"\n")[0]
    return [int(each) for each in line.split()]
