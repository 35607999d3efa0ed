"""Waiting for a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

EVERY = 0.005


def holds(condition: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(EVERY)
    return True


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What the condition gave when it came true; fails the test when it did not in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() <= deadline, f"not so after {seconds} s; last: {value!r}"
        time.sleep(EVERY)
    return value
