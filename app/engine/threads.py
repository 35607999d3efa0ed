"""Threads that are to be there, on a host that may have none to spare for a moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

PATIENCE = 20.0  # seconds; gunicorn ends a worker that says nothing for 30
PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds until it is tried again: the first one, and the longest
log = logging.getLogger(__name__)


class NoThreads(RuntimeError):
    """A host has had no thread to spare for too long."""


def insist(start: Callable[[], object], patience: float = PATIENCE) -> None:
    """Start a thread, now or within `patience` seconds. Raises NoThreads."""
    begun, pause = time.monotonic(), PAUSE
    while True:
        try:
            start()
            return
        except RuntimeError as error:  # Python says no more than "can't start new thread"
            left = begun + patience - time.monotonic()
            if left <= 0:
                raise NoThreads(
                    f"no thread could be started for {patience:g} s: this user has as many processes and threads as it "
                    "may (ulimit -u, TasksMax), or the host has"
                ) from error
            if pause == PAUSE:
                log.warning("no thread can be started: it is tried again for %g s", patience)
            time.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)
