"""Places for requests that wait for a job: a worker's other threads stay free, and nobody has all while others ask."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Whose = tuple[str, str]  # tenant and name of a caller; all who show nothing are one
AROUND = 30.0  # seconds for which somebody who has asked counts as one who may ask again


class Seats:
    """So many places. Who is alone may have them all; while others are around, a caller has half of them at most."""

    def __init__(
        self, number: int, clock: Callable[[], float] = time.monotonic,
        noted: Callable[[int, int], None] = lambda taken, refused: None,
    ) -> None:  # fmt: skip
        """noted: told whenever somebody comes or goes: how many places are taken, and 1 for who found none."""
        self.number, self._clock, self._noted = number, clock, noted
        self._lock = threading.Lock()
        self._taken, self._asked = Counter[Whose](), dict[Whose, float]()

    @contextmanager
    def one(self, whose: Whose) -> Iterator[bool]:
        """A place for as long as this lasts, or False: nobody waits for a place."""
        seated = self._take(whose)
        try:
            yield seated
        finally:
            if seated:
                with self._lock:
                    self._taken[whose] -= 1
                    self._taken += Counter()  # without those who have none
                    self._noted(self._taken.total(), 0)

    def _take(self, whose: Whose) -> bool:
        with self._lock:
            now = self._clock()
            self._asked = {each: when for each, when in self._asked.items() if now - when < AROUND}
            self._asked[whose] = now
            alone = {whose}.issuperset(self._asked) and {whose}.issuperset(self._taken)
            most = self.number if alone else max(1, self.number // 2)
            free = self._taken.total() < self.number and self._taken[whose] < most
            if free:
                self._taken[whose] += 1
            self._noted(self._taken.total(), int(not free))
            return free
