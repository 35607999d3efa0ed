"""Which waiting job starts next: round robin over tenants and owners, oldest first of one, as the host has room."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from geomill.app.engine.queue import Capacity, Demand, FairQueue

LARGE = Capacity(max_running=1000, cpus=1000, memory=1000)


def queue(*jobs: str, **demands: float) -> FairQueue:
    """Jobs are named by owner and number: "a1"; demands: as in Demand, of all of them."""
    waiting = FairQueue()
    for job in jobs:
        waiting.add(demand(job, **demands))
    return waiting


def demand(job: str, **members: float | str) -> Demand:
    return Demand(job, job[0], "process", **members)  # type: ignore[arg-type]


def order(waiting: FairQueue, capacity: Capacity = LARGE) -> list[str]:
    """The jobs as they start when none ends."""
    started: list[Demand] = []
    while following := waiting.next(started, capacity):
        started.append(following)
    return [each.job_id for each in started]


@pytest.mark.parametrize(
    "jobs, expected",
    [
        ([], []),
        (["a1", "a2", "a3"], ["a1", "a2", "a3"]),
        (["a1", "a2", "a3", "b1", "b2"], ["a1", "b1", "a2", "b2", "a3"]),
        (["a1", "b1", "c1", "a2", "c2"], ["a1", "b1", "c1", "a2", "c2"]),
        (["a1", "a1"], ["a1"]),
    ],
)
def test_owners_take_turns_and_each_ones_oldest_job_is_first(jobs: list[str], expected: list[str]) -> None:
    assert order(queue(*jobs)) == expected


def test_the_oldest_is_first_in_whatever_order_they_are_heard_of() -> None:
    waiting = queue("b1", "a3", "a1", "a2")
    assert [waiting.place(job, [], LARGE) for job in ("a1", "a2", "a3", "b1")] == [2, 3, 4, 1]
    waiting.discard("a2")
    assert order(waiting) == ["b1", "a1", "a3"]


def test_who_waits_longer_is_first_whatever_his_id_says_of_the_time() -> None:
    """The clock may have been set back, and ids grow with it."""
    waiting = FairQueue()
    for job, since in (("a9", 10.0), ("a2", 12.0), ("a1", 11.0), ("a3", 12.0)):
        waiting.add(demand(job), since)
    assert [waiting.place(job, [], LARGE) for job in ("a9", "a1", "a2", "a3")] == [1, 2, 3, 4]
    assert order(waiting) == ["a9", "a1", "a2", "a3"]


def test_a_thousand_jobs_of_one_owner_do_not_hold_up_another(tmp_path: object) -> None:
    waiting = queue(*(f"a{number:03}" for number in range(1000)))
    assert waiting.next([], LARGE) == demand("a000")
    waiting.add(demand("b1"))
    assert [waiting.next([], LARGE), waiting.next([], LARGE)] == [demand("a001"), demand("b1")]


@pytest.mark.parametrize(
    "members, capacity, started",
    [
        ({}, Capacity(2, 100, 100), 2),
        ({"cpus": 2}, Capacity(100, 5, 100), 2),
        ({"memory": 40}, Capacity(100, 100, 100), 2),
        ({"cpus": 9}, Capacity(100, 5, 100), 1),  # larger than the host: alone
        ({"memory": 900}, Capacity(100, 100, 100), 1),
        ({"max_running": 3}, Capacity(100, 100, 100), 3),
    ],
)
def test_as_many_start_as_there_is_room_for(members: dict[str, float], capacity: Capacity, started: int) -> None:
    waiting = queue(*(f"a{number}" for number in range(6)), **members)
    assert len(order(waiting, capacity)) == started


def test_a_tenant_of_many_owners_has_no_more_turns_than_another() -> None:
    waiting = queue("a1", "b1", "c1")
    for job in ("x1", "x2", "x3"):
        waiting.add(demand(job, tenant="acme"))
    assert order(waiting) == ["a1", "x1", "b1", "x2", "c1", "x3"]


def test_an_owner_of_the_same_name_in_another_tenant_is_somebody_else() -> None:
    waiting = queue("a1", "a2")
    waiting.add(demand("a3", tenant="acme"))
    assert order(waiting, replace(LARGE, of_one_owner=1)) == ["a1", "a3"]


def test_an_owner_who_has_enough_running_is_passed_over() -> None:
    waiting = queue("a1", "a2", "a3", "b1")
    assert order(waiting, replace(LARGE, of_one_owner=2)) == ["a1", "b1", "a2"]


def test_large_jobs_of_one_owner_hold_up_another_by_one() -> None:
    waiting = queue(*(f"a{number}" for number in range(100)), memory=1000)
    running = [first for first in [waiting.next([], LARGE)] if first]
    waiting.add(demand("b1", memory=1))
    assert waiting.next(running, LARGE) is None  # there is no room
    assert waiting.next([], LARGE) == demand("a1", memory=1000)
    assert waiting.next([], LARGE) == demand("b1", memory=1)


def test_a_large_job_is_not_starved_by_small_ones() -> None:
    waiting = queue("a1")
    waiting.add(demand("b1", cpus=4))
    waiting.add(demand("c1"))
    assert order(waiting, Capacity(100, 4, 100)) == ["a1"]
    assert [each.job_id for each in (waiting.next([], LARGE), waiting.next([], LARGE)) if each] == ["b1", "c1"]


def test_a_process_at_its_own_limit_holds_up_no_other() -> None:
    waiting = FairQueue()
    for job, process in (("a1", "slow"), ("a2", "slow"), ("a3", "fast")):
        waiting.add(Demand(job, "a", process, max_running=1 if process == "slow" else None))
    assert order(waiting) == ["a1", "a3"]


def test_a_job_that_waits_no_longer_is_passed_over() -> None:
    waiting = queue("a1", "a2", "b1")
    for job in ("a1", "b1", "never"):
        waiting.discard(job)
    assert ("a1" in waiting, len(waiting), order(waiting)) == (False, 1, ["a2"])


@pytest.mark.parametrize("seed", range(20))
def test_a_place_says_how_many_starts_there_are_until_it(seed: int) -> None:
    numbers = random.Random(seed)
    jobs = [f"{numbers.choice('abcd')}{number}" for number in range(12)]
    waiting = queue()
    for job in jobs:
        waiting.add(demand(job, tenant=numbers.choice(["default", "acme", "zeta"])))
    for _ in range(numbers.randrange(4)):
        waiting.next([], LARGE)
    places = {job: waiting.place(job, [], LARGE) for job in jobs}
    for number, job in enumerate(order(waiting), 1):
        assert places[job] == number
    assert waiting.place("never", [], LARGE) is None


def test_a_place_does_not_count_who_is_passed_over() -> None:
    """Ann has as many running as she may: bob and cid do not wait for her, and she waits for herself."""
    waiting, capacity = queue("a1", "a2", "a3", "b1", "c1", "b2"), replace(LARGE, of_one_owner=2)
    running = [demand("a8"), demand("a9"), demand("b9")]
    assert [waiting.place(job, running, capacity) for job in ("b1", "c1", "b2", "a1")] == [1, 2, 3, 1]
    assert [waiting.place(job, [], capacity) for job in ("a1", "b1", "c1")] == [1, 2, 3]


class Name(str):
    """An id that counts with what it is compared."""

    compared = 0

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The lines of Python that are passed inside the block, at any depth."""
    lines: list[str] = []

    def trace(frame: FrameType, event: str, _: object) -> Any:
        lines.append(event)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("members", [{}, {"max_running": 2}], ids=["", "of a process at its limit"])
def test_ten_thousand_that_wait_are_no_more_work_than_ten(members: dict[str, float]) -> None:
    running, capacity, costs = [demand(f"r{number}", **members) for number in range(2)], LARGE, []
    for many in (10, 10_000):
        waiting = FairQueue()
        for number in range(many):
            waiting.add(demand(Name(f"a{number}"), **members), float(number))
        Name.compared = 0
        with counted() as lines:
            assert waiting.place(f"a{many - 1}", running, capacity) == many
            started = waiting.next(running, capacity)
            waiting.add(demand("b1", **members))
            waiting.discard(f"a{many // 2}")
        assert started == (None if members else demand("a0"))
        costs.append((len(lines), Name.compared))
    assert costs[1] == costs[0]
