"""Waiting for a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

EVERY, LATER = 0.005, 0.02  # seconds between two looks: at first, and when that has not helped for a second
AT_REST = 2  # times as long as a look takes
SECONDS = 30.0  # a machine that does much else is slow


def holds(condition: Callable[[], Any], seconds: float = SECONDS) -> bool:
    """Whether the condition came true in time."""
    return bool(_waited(condition, seconds))


def until(condition: Callable[[], Any], seconds: float = SECONDS, every: float = 0) -> Any:
    """What the condition gave when it came true; fails the test when it did not in time.

    every: seconds between two looks, where looking is expensive.
    """
    value = _waited(condition, seconds, every)
    assert value, f"not so after {seconds} s; last: {value!r}"
    return value


def _waited(condition: Callable[[], Any], seconds: float, every: float = 0) -> Any:
    begun = looked = time.monotonic()
    while not (value := condition()):
        now = time.monotonic()
        if now - begun > seconds:
            break
        # whoever is waited for needs the processor, too
        time.sleep(every or max(EVERY if now - begun < 1 else LATER, AT_REST * (now - looked)))
        looked = time.monotonic()
    return value
