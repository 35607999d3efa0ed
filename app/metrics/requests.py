"""Requests, counted and timed by what they ask for; and the places of those that wait for jobs."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from flask import Response, g

from geomill.app import operations
from geomill.app.asked import asked
from geomill.app.metrics.slots import Slots

if TYPE_CHECKING:
    from geomill.app.server import Geomill

BEGUN = "geomill.begun"  # in the environ of a request: when that was, by the clock of performance
NONE = "none"  # the operation of an address that nothing is at
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other")
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
BOUNDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)  # seconds, of buckets; a further one has what takes longer
PLACES, TAKEN, REFUSED = range(3)  # cells: synchronous places of the worker, those that are taken; who found none
FIRST = 3  # cell of the first operation
TIMES = len(METHODS) * len(CLASSES)  # cells of an operation before its times: microseconds, and its buckets
EACH = TIMES + 1 + len(BOUNDS) + 1
_METHOD = {method: number for number, method in enumerate(METHODS)}


@dataclass(frozen=True)
class Duration:
    """How long the requests for an operation took. buckets: how many each of BOUNDS has, and what takes longer."""

    operation: str
    seconds: float
    buckets: list[int]


@dataclass
class Counts:
    """What all workers have counted. requests: by operation, method and class of status."""

    places: int = 0
    taken: int = 0
    refused: int = 0
    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    durations: list[Duration] = field(default_factory=list)


class Requests:
    """Counts the requests of this worker, and tells those of all. It is first used when the views are known."""

    def __init__(self, app: Geomill) -> None:
        self._app = app

    def count(self, endpoint: str | None, method: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        cell = FIRST + EACH * self._rows.get(endpoint, 0)
        kind = _METHOD.get(method, len(METHODS) - 1) * len(CLASSES) + min(max(status // 100, 1), 5) - 1
        bucket = cell + TIMES + 1 + bisect_left(BOUNDS, seconds)
        self._slots.add((cell + kind, 1), (cell + TIMES, int(1e6 * seconds)), (bucket, 1))

    def seated(self, taken: int, refused: int) -> None:
        """Say how many of this worker's synchronous places are taken, and count who found none."""
        self._slots.set(TAKEN, taken)
        self._slots.add((REFUSED, refused))

    def read(self) -> Counts:
        """What was counted by all workers of the home, those that have ended among them. Raises OSError."""
        cells = self._slots.total()
        counts = Counts(cells[PLACES], cells[TAKEN], cells[REFUSED])
        for row, operation in enumerate(self._operations):
            begin = FIRST + EACH * row
            found = cells[begin : begin + EACH]
            for kind, number in enumerate(found[:TIMES]):
                if number:
                    method, status = divmod(kind, len(CLASSES))
                    counts.requests[operation, METHODS[method], CLASSES[status]] = number
            if any(found):
                counts.durations.append(Duration(operation, found[TIMES] / 1e6, list(found[TIMES + 1 :])))
        return counts

    @cached_property
    def _operations(self) -> list[str]:
        """The names that requests are counted by: as many as there are operations, and one."""
        found = {each.id for endpoint in self._app.view_functions if (each := operations.of(self._app, endpoint))}
        return [NONE, *sorted(found)]

    @cached_property
    def _rows(self) -> dict[str | None, int]:
        """Which of them a view is."""
        known = {name: row for row, name in enumerate(self._operations)}
        of_views = ((endpoint, operations.of(self._app, endpoint)) for endpoint in self._app.view_functions)
        return {endpoint: known[each.id] for endpoint, each in of_views if each}

    @cached_property
    def _slots(self) -> Slots:
        means = repr((self._operations, METHODS, CLASSES, BOUNDS, FIRST))
        layout = sha256(means.encode()).hexdigest()[:8]
        size = FIRST + EACH * len(self._operations)
        return Slots(self._app.settings.runtime_dir, layout, size, (self._app.seats.number, 0))


def init_app(app: Geomill) -> None:
    """Count every request, by what it asked for and how it was answered."""

    def begin() -> None:
        asked().environ[BEGUN] = time.perf_counter()

    def end(response: Response) -> Response:
        now = time.perf_counter()
        request = asked()
        begun = request.environ.get(BEGUN, now)
        status = g.get("status", response.status_code)  # of clients that want 200 for errors, too
        app.requests.count(request.endpoint, request.method, status, now - begun)
        return response

    app.before_request(begin)
    app.after_request(end)
