"""What pages want to see of files that jobs wrote: the dispatcher's end. One picture at a time, and one value.

Asked twice, a picture is made once. Whoever waits is told when it is there; whoever does not asks again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from geomill.app.engine.listener import Client
from geomill.app.engine.templates import Template

TEMPLATE = "geo"
MOST = 100  # orders of a kind that wait
OVERDUE = 60.0  # seconds after which nobody is at work on an order any more; a viewer ends long before
BUSY = "Too many are waiting for a picture or a value at this moment; try again in a minute."
LOST = "Whoever was at work on it was lost; try again."

Order = dict[str, Any]


class Views:
    """Orders in the order in which they came; the first of each kind is being worked on."""

    def __init__(self, template: Callable[[str], Template], keep: Callable[[str, Client], None],
                 tell: Callable[[str, Any], None]) -> None:  # fmt: skip
        """template: gives one by its name, or raises OSError; keep, tell: those of the listener."""
        self._template, self._keep, self._tell = template, keep, tell
        self._pictures: dict[str, Order] = {}
        self._values: dict[str, Order] = {}
        self._begun = {id(self._pictures): 0.0, id(self._values): 0.0}

    def ask(self, client: Client, message: dict[str, Any]) -> dict[str, Any] | None:
        """Take an order. message: tenant, job, file, at (longitude and latitude, for the value there), wait."""
        at = message.get("at")
        order: Order = {name: str(message[name]) for name in ("tenant", "job", "file")}
        order["at"] = None if at is None else [float(at[0]), float(at[1])]
        lane, key = self._values if at else self._pictures, f"view {json.dumps(order)}"
        if key not in lane and len(lane) >= MOST:
            return {"error": BUSY}
        new = key not in lane
        lane.setdefault(key, {**order, "view": key})
        if message.get("wait"):
            self._keep(key, client)
        if new and len(lane) == 1:
            self._begin(lane)
        return None if message.get("wait") else {}

    def answered(self, answer: dict[str, Any]) -> None:
        """A viewer has done what it was asked for."""
        self._end(str(answer.pop("view", "")), answer)

    def lost(self) -> None:
        """The template is gone, and its viewers with it."""
        for lane in (self._pictures, self._values):
            if lane:
                self._end(next(iter(lane)), {"error": LOST})

    def look(self, moment: float) -> None:
        """Give up what nobody is at work on any more. moment: seconds, of the monotonic clock."""
        for lane in (self._pictures, self._values):
            if lane and moment - self._begun[id(lane)] > OVERDUE:
                self._end(next(iter(lane)), {"error": LOST})

    def _begin(self, lane: dict[str, Order]) -> None:
        while lane:
            key, order = next(iter(lane.items()))
            self._begun[id(lane)] = time.monotonic()
            try:
                return self._template(TEMPLATE).view(order)
            except OSError:  # no process is to be had, or its name is too long for a message
                del lane[key]
                self._tell(key, {"error": LOST})

    def _end(self, key: str, answer: dict[str, Any]) -> None:
        for lane in (self._pictures, self._values):
            if key in lane:
                first = next(iter(lane)) == key
                del lane[key]
                self._tell(key, answer)
                if first:
                    self._begin(lane)
