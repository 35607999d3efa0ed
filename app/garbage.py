"""Python's search for garbage, put off where there is none to be found: it costs a tenth of what loading takes.

Whoever puts it off ends that: a process that goes on without it keeps every file that only a cycle still holds.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_held = 0  # how many put it off now, in all threads
_was = False  # it went on before the first of them


@contextmanager
def put_off() -> Iterator[None]:
    """No search meanwhile, in no thread; it goes on when the last who put it off is done, if it did before."""
    global _held, _was
    with _lock:
        if not _held:
            _was = gc.isenabled()
            gc.disable()
        _held += 1
    try:
        yield
    finally:
        with _lock:
            _held -= 1
            if not _held and _was:
                gc.enable()
