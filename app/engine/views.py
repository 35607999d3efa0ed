"""What pages want to see of files that jobs wrote: the dispatcher's end.

Asked twice, a picture is made once. Whoever waits is told when it is there; whoever does not asks again.
There is one at work in each lane: values, pictures that have a short time, and those for which that was too short.
So nobody's picture waits long for one that is slow; and in a lane owners of jobs take turns.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from geomill.app.engine.listener import Client
from geomill.app.engine.queue import Whose

TEMPLATE = "geo"
MOST = 100  # orders that wait in a lane
MOST_OF_ONE = 50  # and of one owner
OVERDUE = 60.0  # seconds after which nobody is at work on an order any more; a viewer ends long before
BUSY = "Too many are waiting for a picture or a value at this moment; try again in a minute."
LOST = "Whoever was at work on it was lost; try again."

Order = dict[str, Any]


class Lane:
    """Orders by their keys. One is being worked on; the next is of the owner who was served longest ago. Pure."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.current: str | None = None
        self._served: dict[Whose, None] = {}  # who was, since the lane was empty; the latest comes last

    def __contains__(self, key: str) -> bool:
        return key in self.orders

    def is_full(self, whose: Whose) -> bool:
        """Whether there is no room for another order of this owner."""
        of_one = sum(_whose(each) == whose for each in self.orders.values())
        return len(self.orders) >= MOST or of_one >= MOST_OF_ONE

    def take(self) -> tuple[str, Order] | None:
        """The next to be worked on; None where there is none, or one is at work."""
        if self.current is not None or not self.orders:
            return None
        turns = {whose: number for number, whose in enumerate(self._served)}
        key = min(self.orders, key=lambda each: turns.get(_whose(self.orders[each]), -1))  # the oldest, of equal ones
        self.current, order = key, self.orders[key]
        self._served.pop(_whose(order), None)
        self._served[_whose(order)] = None
        return key, order

    def remove(self, key: str) -> Order:
        """Forget an order."""
        order = self.orders.pop(key)
        if self.current == key:
            self.current = None
        if not self.orders:
            self._served.clear()
        return order


def _whose(order: Order) -> Whose:
    return order["tenant"], order["owner"]


class Views:
    """The lanes, and who works on what is in them."""

    def __init__(self, view: Callable[[Order], None], keep: Callable[[str, Client], None],
                 tell: Callable[[str, Any], None]) -> None:  # fmt: skip
        """view: has a viewer do an order, or raises OSError; keep, tell: those of the listener."""
        self._view, self._keep, self._tell = view, keep, tell
        self._lanes = {kind: Lane() for kind in ("value", "first", "picture")}
        self._begun = dict.fromkeys(self._lanes, 0.0)

    def ask(self, client: Client, message: dict[str, Any]) -> dict[str, Any] | None:
        """Take an order.

        message: tenant, job, owner of the job, file, band (the one that is meant, counted from 1), wait,
        at (longitude and latitude, for the value there).
        """
        at = message.get("at")
        order: Order = {name: str(message[name]) for name in ("tenant", "job", "owner", "file")}
        order["band"] = None if message.get("band") is None else int(message["band"])
        order["at"] = None if at is None else [float(at[0]), float(at[1])]
        kind, key = "value" if at else "first", f"view {json.dumps(order)}"
        new = not any(key in lane for lane in self._lanes.values())
        if new and self._lanes[kind].is_full(_whose(order)):
            return {"error": BUSY}
        if message.get("wait"):
            self._keep(key, client)
        if new:
            self._add(kind, key, order)
        return None if message.get("wait") else {}

    def answered(self, answer: dict[str, Any]) -> None:
        """A viewer has done what it was asked for, or had too little time for it ("late")."""
        key = str(answer.pop("view", ""))
        first, slow = self._lanes["first"], self._lanes["picture"]
        if answer.get("late") and key in first and not slow.is_full(_whose(first.orders[key])):
            self._add("picture", key, first.remove(key))
            return self._begin("first")
        self._end(key, {"error": BUSY} if answer.get("late") else answer)

    def lost(self) -> None:
        """The template is gone, and its viewers with it."""
        for lane in self._lanes.values():
            if lane.current is not None:
                self._end(lane.current, {"error": LOST})

    def look(self, moment: float) -> None:
        """Give up what nobody is at work on any more. moment: seconds, of the monotonic clock."""
        for kind, lane in self._lanes.items():
            if lane.current is not None and moment - self._begun[kind] > OVERDUE:
                self._end(lane.current, {"error": LOST})

    def _add(self, kind: str, key: str, order: Order) -> None:
        self._lanes[kind].orders[key] = {**order, "view": key, "kind": kind}
        self._begin(kind)

    def _begin(self, kind: str) -> None:
        lane = self._lanes[kind]
        while taken := lane.take():
            key, order = taken
            self._begun[kind] = time.monotonic()
            try:
                return self._view(order)
            except OSError:  # no process is to be had, or its name is too long for a message
                lane.remove(key)
                self._tell(key, {"error": LOST})

    def _end(self, key: str, answer: dict[str, Any]) -> None:
        for kind, lane in self._lanes.items():
            if key in lane:
                lane.remove(key)
                self._tell(key, answer)
                self._begin(kind)
