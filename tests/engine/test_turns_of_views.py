"""Whose picture is drawn next: a slow one is in nobody's way, and owners take turns."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from geomill.app.engine.views import BUSY, LOST, MOST_OF_ONE, OVERDUE, Views


class Desk:
    """Views, with a list of what viewers were asked for."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.keys: dict[str, str] = {}
        self.told: dict[str, Any] = {}
        self.is_open = True
        self.views = Views(self._view, lambda *_: None, self._tell)

    def _view(self, order: dict[str, Any]) -> None:
        if not self.is_open:
            raise OSError
        self.orders.append(order)
        self.keys[order["file"]] = order["view"]

    def _tell(self, key: str, answer: Any) -> None:
        self.told[json.loads(key.partition(" ")[2])["file"]] = answer

    def ask(self, owner: str, *files: str, **more: Any) -> list[Any]:
        """Ask for pictures of files of a job of his."""
        client = socket.socket()
        client.close()  # it does not wait
        message = {"tenant": "default", "job": f"of {owner}", "owner": owner, **more}
        return [self.views.ask(client, {**message, "file": file}) for file in files]

    def begun(self) -> list[tuple[str, str]]:
        """(file, kind) of what viewers were asked for since the last look; they are at work."""
        found = [(order["file"], order["kind"]) for order in self.orders]
        self.orders.clear()
        return found

    def answer(self, file: str, **answer: Any) -> list[tuple[str, str]]:
        """A viewer is done; what is begun then."""
        self.views.answered({"view": self.keys[file], **answer})
        return self.begun()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_owners_take_turns(desk: Desk) -> None:
    desk.ask("eve", "e1", "e2", "e3")
    desk.ask("ann", "a1", "a2")
    order = [desk.begun()[0]]
    while begun := desk.answer(order[-1][0]):
        order += begun
    assert [file for file, _ in order] == ["e1", "a1", "e2", "a2", "e3"]
    assert set(desk.told) == {"e1", "e2", "e3", "a1", "a2"}


def test_what_is_slow_goes_on_beside_the_others(desk: Desk) -> None:
    desk.ask("eve", "slow", "slower")
    desk.ask("ann", "a")
    assert desk.begun() == [("slow", "first")]
    assert sorted(desk.answer("slow", late=True)) == [("a", "first"), ("slow", "picture")]
    assert not desk.told and desk.ask("eve", "slow") == [{}] and not desk.begun()  # it is known
    assert desk.answer("a") == [("slower", "first")]
    assert desk.answer("slower", late=True) == []  # one slow one at a time
    assert desk.answer("slow", error="too large") == [("slower", "picture")]
    assert desk.told == {"a": {}, "slow": {"error": "too large"}}


def test_values_wait_for_no_picture(desk: Desk) -> None:
    desk.ask("eve", "slow")
    desk.ask("eve", "value", at=[1, 2])
    assert desk.begun() == [("slow", "first"), ("value", "value")]


def test_one_owner_leaves_room_for_another(desk: Desk) -> None:
    answers = desk.ask("eve", *map(str, range(MOST_OF_ONE + 1)))
    assert answers[-2:] == [{}, {"error": BUSY}]
    assert desk.ask("ann", "a") == [{}]


@pytest.mark.parametrize("end", ["lost", "overdue", "template"])
def test_what_is_lost_is_told_and_the_next_is_begun(desk: Desk, end: str) -> None:
    desk.ask("eve", "e1", "e2")
    desk.begun()
    if end == "template":
        desk.is_open = False
        desk.answer("e1")
        assert desk.told == {"e1": {}, "e2": {"error": LOST}}
        return
    if end == "lost":
        desk.views.lost()
    else:
        desk.views.look(OVERDUE + 10**9)
    assert desk.told == {"e1": {"error": LOST}} and desk.begun() == [("e2", "first")]
