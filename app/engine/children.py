"""The children of the dispatcher that are neither templates nor supervisors: its own chores, and orphans of jobs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from geomill.app.engine import isolation, reaper

SWEEP_SECONDS = 0.5


class Children:
    """Forks chores, collects what has ended, kills what should not be there."""

    def __init__(
        self, known: Callable[[], set[int]], prepare: Callable[[], None], swept: Callable[[int], None]
    ) -> None:
        """known: pids that are to live; prepare: to be done before a fork; swept: told how many orphans there were."""
        self._known, self._prepare, self._swept = known, prepare, swept
        self.chores: dict[int, str] = {}

    def fork(self, name: str, run: Callable[[], object]) -> None:
        """Do what takes long in a child; without the election lock, so that the dispatcher can be succeeded."""
        self._prepare()
        pid = os.fork()
        if pid:
            self.chores[pid] = name
            return
        try:
            isolation.close_all_but([0, 1, 2])
            run()
        finally:
            os._exit(0)

    def end(self, name: str) -> None:
        """Kill the chore of this name."""
        for pid in [pid for pid, known in self.chores.items() if known == name]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def at(self, name: str) -> bool:
        """Whether a chore of this name is being done."""
        return name in self.chores.values()

    def reap(self) -> set[str]:
        """Collect who has ended; the names of the chores that are done."""
        done = set()
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                done.add(self.chores.pop(pid, ""))
        return done - {""}

    def sweep(self) -> bool:
        """Kill what lost its supervisor, and wait until it is gone, half a second at most; whether it is."""
        deadline = time.monotonic() + SWEEP_SECONDS
        killed = set[int]()
        try:
            return self._sweep(deadline, killed)
        finally:
            self._swept(len(killed))

    def _sweep(self, deadline: float, killed: set[int]) -> bool:
        """As above. killed: gets the orphans."""
        while orphans := self._orphans():
            killed.update(orphans)
            reaper.kill_tree(orphans)
            for pid in orphans:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def _orphans(self) -> list[int]:
        known = self._known() | self.chores.keys()
        return [pid for pid in reaper.children(os.getpid()) if pid not in known]
