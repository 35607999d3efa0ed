"""That this process is to end soon: what waits for a job in it gives up in time, and it starts no dispatcher any more.

Set by a signal handler, so it is nothing but a number that others look at.
"""

from __future__ import annotations

import math
import time

LOOK_EVERY = 0.5  # seconds between two looks of who waits
_moment = math.inf


def begin(seconds: float) -> None:
    """Let nobody wait for a job for longer than this from now on."""
    global _moment
    _moment = min(_moment, time.monotonic() + seconds)


def has_begun() -> bool:
    """Whether this process was told to end."""
    return _moment < math.inf


def moment() -> float:
    """When waiting has to be over, by the monotonic clock."""
    return _moment
