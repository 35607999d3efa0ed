"""The processes of a job: its child, and whatever that starts. Their supervisor hears of their ends, and ends them."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from geomill.app.engine import reaper


class Tree:
    """What a supervisor knows of them, and does to them."""

    def __init__(self, child: int, ended: Callable[[int], None], *, contained: bool) -> None:
        """Note from now on what signals say. ended: called with the pid of a child that ended while the job ran.

        contained: this process is the first of its PID namespace. Raises ChildProcessError when the child has ended.
        """
        self.contained, self._when_ended = contained, ended
        self.wake = _listen_for_signals()  # there is something to read for heed()
        self.child = child
        if os.waitpid(child, os.WNOHANG)[0]:  # or it raises by itself, for one that ended before anybody listened
            raise ChildProcessError(child)
        self.exit_status: int | None = None  # of the child
        self.told_to_end = False

    def heed(self) -> None:
        """Take note of SIGTERM, and of every child that ended, the job's orphans among them."""
        self.told_to_end |= signal.SIGTERM in os.read(self.wake, 4096)
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                self._when_ended(pid)
                if pid == self.child:
                    self.exit_status = status

    def ask_to_end(self, grace: float) -> None:
        """Tell all of them, and wait for the child. grace: seconds at most."""
        self._signal(signal.SIGTERM)
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        deadline = time.monotonic() + grace
        while self.exit_status is None and (left := deadline - time.monotonic()) > 0:
            if poll.poll(left * 1000 + 1):
                self.heed()

    def end(self) -> None:
        """Nothing of the job is left when this returns, whatever it forked."""
        while True:
            self._signal(signal.SIGKILL)
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            if pid == self.child:
                self.exit_status = status

    def _signal(self, number: signal.Signals) -> None:
        """Signal every process of the job."""
        if self.contained:
            with suppress(ProcessLookupError):
                os.kill(-1, number)  # everyone in the namespace but its first
        elif number is signal.SIGKILL:
            reaper.kill_tree(reaper.children(os.getpid()))
        else:
            for pid in reaper.descendants(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)


def _listen_for_signals() -> int:
    """A descriptor that gives a byte for each SIGTERM, blocked since before the fork, and SIGCHLD from now on."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    return reading
