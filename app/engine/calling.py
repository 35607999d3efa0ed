"""When the dispatcher has subscribers told: while any job is marked, by a process that it begins for that."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from geomill.app.config import Settings
from geomill.app.engine.children import Children
from geomill.app.engine.runtime import CALLING
from geomill.app.engine.stores import Stores
from geomill.jobstore import maintenance

CHORE = "call back"
SHORT = 10.0  # seconds; one that ends sooner may have failed
SOON, LATE = 2.0, 60.0  # seconds until another is begun after that: twice as many each time
STUCK = 30.0  # seconds without a sign of life

log = logging.getLogger(__name__)


class Calling:
    """Begins that process, and ends one that does nothing any more.

    A look costs a system call for each tenant while nobody is to be told of anything.
    """

    def __init__(self, settings: Settings, stores: Stores, children: Children) -> None:
        """begun: when the last one was, by the monotonic clock."""
        self.settings, self.stores, self.children = settings, stores, children
        self.begun, self._pause = -LATE, SOON

    def look(self, moment: float) -> None:
        """Begin one, if it is needed. moment: seconds, of the monotonic clock."""
        if self.children.at(CHORE):
            if self._is_stuck(moment):
                log.warning("who calls back does nothing any more, and is ended; another follows")
                self.children.end(CHORE)
            return
        if moment < self.begun + self._pause or not self._needed():
            return
        soon = moment <= self.begun + self._pause + SHORT
        self._pause = min(2 * self._pause, LATE) if soon else SOON
        if soon:
            log.warning("who calls back ended early; another begins, and if that does, too, one in %g s", self._pause)
        self.begun = moment
        self.children.fork(CHORE, self._run)

    def _needed(self) -> bool:
        with suppress(OSError):
            marked = any(store.callbacks.expected() for store in self.stores.there())
            return marked and not maintenance.on(self.settings.home)
        return False

    def _is_stuck(self, moment: float) -> bool:
        """Whether it gave no sign for long; the last one may be of the process before it."""
        if moment < self.begun + STUCK:
            return False
        with suppress(OSError):
            return time.time() - (self.settings.runtime_dir / CALLING).stat().st_mtime > STUCK
        return False

    def _run(self) -> None:
        try:
            from geomill.app.callbacks.delivering import deliver  # Flask, which the dispatcher does without

            deliver(self.settings)
        except Exception:
            log.exception("subscribers cannot be told")
