"""The free places between the objects of a process that is about to fork.

Python puts a new object into the first of them that is large enough. In a forked process each such place is on another
page that it shares until then, so a hundred objects copy a hundred pages. Where the places are taken, new objects lie
side by side, on pages that nobody has to copy.
"""

from __future__ import annotations

from collections.abc import Callable

_STEP, _LARGEST = 16, 512  # bytes: what Python itself keeps places for
_HEAD = b"".__sizeof__()  # bytes of an object that holds bytes, beside them
_POOL, _START = 2**14, 48  # bytes: objects of a size share pools of this length, and the first one stands there
_ROW = 4  # so many side by side from the start of a pool are the first in it
_MOST = 4000  # of a size; another allocator may never put two side by side

_taken: list[object] = []


def fill() -> None:
    """Take them all, for good; they are in memory as it is."""
    for size in range(_STEP, _LARGEST + 1, _STEP):
        make, expected, in_row = _sized(size), 0, 0
        for _ in range(_MOST):
            _taken.append(make())
            place = id(_taken[-1])
            in_row = 1 if place % _POOL == _START else in_row + 1 if in_row and place == expected else 0
            expected = place + size
            if in_row == _ROW:
                break


def _sized(size: int) -> Callable[[], object]:
    """What makes an object of this size, which Python keeps none of in reserve."""
    if size < _HEAD:
        return object if size == _STEP else lambda: complex(size, size)
    return lambda: bytes(size - _HEAD)
