"""When the dispatcher has subscribers told: while any job is marked, by a process that it begins for that."""

from __future__ import annotations

import logging
from contextlib import suppress

from geomill.app.config import Settings
from geomill.app.engine.children import Children
from geomill.app.engine.stores import Stores
from geomill.jobstore import maintenance

CHORE = "call back"
SHORT = 10.0  # seconds; one that ends sooner may have failed
SOON, LATE = 2.0, 60.0  # seconds until another is begun after that: twice as many each time

log = logging.getLogger(__name__)


class Calling:
    """Begins that process. A look costs a system call for each tenant while nobody is to be told of anything."""

    def __init__(self, settings: Settings, stores: Stores, children: Children) -> None:
        self.settings, self.stores, self.children = settings, stores, children
        self._begun, self._pause = -LATE, SOON

    def look(self, moment: float) -> None:
        """Begin one, if it is needed. moment: seconds, of the monotonic clock."""
        if self.children.at(CHORE) or moment < self._begun + self._pause or not self._needed():
            return
        self._pause = SOON if moment > self._begun + self._pause + SHORT else min(2 * self._pause, LATE)
        self._begun = moment
        self.children.fork(CHORE, self._run)

    def _needed(self) -> bool:
        with suppress(OSError):
            marked = any(store.callbacks.expected() for store in self.stores.there())
            return marked and not maintenance.on(self.settings.home)
        return False

    def _run(self) -> None:
        try:
            from geomill.app.callbacks.delivering import deliver  # Flask, which the dispatcher does without

            deliver(self.settings)
        except Exception:
            log.exception("subscribers cannot be told")
