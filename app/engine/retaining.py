"""When the dispatcher looks for what is due to go: every hour, and soon where the disk is nearly full."""

from __future__ import annotations

import signal
from contextlib import suppress

from geomill.app.config import Settings
from geomill.app.engine.children import Children
from geomill.app.engine.stores import Stores
from geomill.jobstore.retention import excess

CHORE = "retain"
EVERY = 3600.0  # seconds
SOON = 30.0  # seconds between two tries to make room; twice as many after each that did not
LONGEST = 900  # seconds; what was begun then is finished the next time


class Retaining:
    """Lets a child do what may take long. A look costs one system call while nothing is to be done."""

    def __init__(self, settings: Settings, stores: Stores, children: Children) -> None:
        self.settings, self.stores, self.children = settings, stores, children
        kept = [each for each in (settings.keep, settings.keep_status, settings.keep_uploads) if each]
        self.every = min([EVERY, *(max(1.0, each / 10) for each in kept)])
        self._next = 0.0
        self._next_for_disk, self._patience = 0.0, SOON

    def look(self, moment: float) -> None:
        """Begin, if it is time. moment: seconds, of the monotonic clock."""
        if self.children.at(CHORE):
            return
        full = self._full()
        if not full:
            self._next_for_disk, self._patience = 0.0, SOON
        elif moment >= self._next_for_disk:
            self._next_for_disk, self._patience = moment + self._patience, min(2 * self._patience, EVERY)
            self._next = 0.0
        if moment >= self._next:
            self._next = moment + self.every
            self.children.fork(CHORE, self._run)

    def _full(self) -> bool:
        try:
            return self.settings.keep_disk > 0 and excess(self.settings.home, self.settings.keep_disk) > 0
        except OSError:
            return False

    def _run(self) -> None:
        from geomill.app import retention

        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.alarm(LONGEST)
        with suppress(TimeoutError):  # somebody does it by hand
            gone = retention.collect(self.stores.there(), self.settings)
            for _ in retention.audited(gone, self.settings, by="dispatcher"):
                pass
