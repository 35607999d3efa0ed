"""How the index is walked: a page costs what is on it, whatever is asked for and however many jobs there are."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from geomill.jobstore import Filters, Status
from geomill.jobstore.index import Index
from geomill.jobstore.walks import Row, newest

BEGUN = 1_700_000_000
PROCESSES = tuple(f"p{number}" for number in range(4))
OWNERS = ("", "ann")
PAGE = 20
# no row is looked up in the table, and nothing is sorted
STEPS = re.compile(
    r"MERGE \(UNION ALL\)|LEFT|RIGHT|SEARCH jobs USING COVERING INDEX newest_of_\w+ "
    r"\((owner=\? AND |process=\? AND )?status=\?(?P<bounds>.*)\)"
)


def moment(number: float) -> datetime:
    return datetime.fromtimestamp(BEGUN + number, UTC)


def asked(**among: tuple[Any, ...]) -> list[Filters]:
    """Filters with each of these values, one with another."""
    return [Filters(**dict(zip(among, each, strict=True))) for each in product(*among.values())]


EVERYTHING = asked(
    owner=(None, "ann"),
    process_ids=((), ("p1",), PROCESSES, tuple(f"p{number}" for number in range(200))),
    statuses=((), (Status.FAILED,), (Status.RUNNING, Status.FAILED, Status.FAILED, Status.SUCCESSFUL)),
    since=(None, moment(100)),
    until=(None, moment(300)),
    min_duration=(None, 5.0),
    max_duration=(None, 9.0),
)
CAUSES = asked(
    owner=(None, "ann"),
    process_ids=((), ("p1",)),
    cause=(None, "exit"),
    cause_not=(None, "exit"),
    min_duration=(None, 5),
)


def rows(count: int) -> list[tuple[Any, ...]]:
    """Rows of jobs, two of them created at a time."""
    drawing = random.Random(5)  # noqa: S311
    found = []
    for number in range(count):
        status, created = drawing.choice(list(Status)), BEGUN + number // 2
        begun = created + 1 if status not in (Status.ACCEPTED, Status.DISMISSED) else None
        ended = created + 1 + drawing.randrange(20) if status.final else None
        cause = drawing.choice(["exit", "lost"]) if status is Status.FAILED else None
        process, owner = drawing.choice(PROCESSES), drawing.choice(OWNERS)
        found.append((f"{number:08}", created, process, owner, status.value, begun, ended, created, None, cause))
    return found


def filled(path: Path, count: int) -> Index:
    index = Index(path / f"{count}.sqlite")
    index._write("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows(count))
    return index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return filled(tmp_path_factory.mktemp("index"), 1000)


def plan(index: Index, filters: Filters, after: Row | None) -> list[str]:
    query, values = newest(filters, after=after, now=BEGUN)
    return [row[3] for row in index.read(f"EXPLAIN QUERY PLAN {query}", [*values, PAGE])]


@pytest.mark.parametrize("after", [None, (BEGUN + 200.0, "1"), (BEGUN + 900.0, "1")])
def test_no_list_sorts_or_looks_up_a_row(index: Index, after: Row | None) -> None:
    for filters in (*EVERYTHING, *CAUSES):
        for step in plan(index, filters, after):
            found = STEPS.fullmatch(step)
            assert found, (step, filters)
            bounds = found["bounds"]
            if bounds is not None:  # a walk begins and ends where it is to
                assert ("created>?" in bounds) == (filters.since is not None), (step, filters)
                assert ("created<?" in bounds or "id)<(" in bounds) == bool(after or filters.until), (step, filters)


def chosen(filters: Filters, after: Row | None, now: float) -> list[Row]:
    """The same by the words of the filters."""
    found = []
    for job_id, created, process, owner, status, begun, ended, _, _, cause in rows(1000):
        end = ended if ended is not None else now if status == "running" else None
        took = None if begun is None or end is None else end - begun
        wanted = (
            process in (filters.process_ids or [process]),
            status in (filters.statuses or [status]),
            filters.since is None or created >= filters.since.timestamp(),
            filters.until is None or created <= filters.until.timestamp(),
            filters.owner in (None, owner),
            filters.cause in (None, cause),
            filters.cause_not is None or cause != filters.cause_not,
            filters.min_duration is None or (took is not None and took >= filters.min_duration),
            filters.max_duration is None or (took is not None and took <= filters.max_duration),
            after is None or (created, job_id) < after,
        )
        if all(wanted):
            found.append((created, job_id))
    return sorted(found, reverse=True)[:PAGE]


@pytest.mark.parametrize("after", [None, (BEGUN + 200.0, "00000401"), (BEGUN + 900.0, "1")])
def test_a_list_is_what_was_asked_for_newest_first(index: Index, after: Row | None) -> None:
    now = BEGUN + 107.0  # when those that run have run for 5 to 9 seconds in part
    for filters in (*EVERYTHING, *CAUSES):
        assert index.page(filters, PAGE, after, now) == chosen(filters, after, now), filters


@contextmanager
def counted(index: Index) -> Iterator[list[int]]:
    """Counts the steps of SQLite's machine, one for each of them."""
    steps: list[int] = []
    connection = index._connection()
    connection.set_progress_handler(lambda: steps.append(1), 1)  # type: ignore[func-returns-value]  # None goes on
    yield steps
    connection.set_progress_handler(None, 1)


def cost(index: Index, filters: Filters, after: Row | None = None) -> tuple[int, list[Row]]:
    with counted(index) as steps:
        page = index.page(filters, PAGE, after, BEGUN)
    return len(steps), page


STATES = ((), (Status.FAILED,), (Status.RUNNING, Status.FAILED))
SELECTIVE = [
    *asked(process_ids=((), ("p1",), ("none",), PROCESSES), statuses=STATES, until=(None, moment(300))),
    *asked(owner=("ann", "nobody"), process_ids=((), PROCESSES), statuses=STATES, until=(None, moment(300))),
]


def test_a_page_costs_the_same_of_few_jobs_and_of_many(tmp_path: Path) -> None:
    few, many = filled(tmp_path, 2000), filled(tmp_path, 20_000)
    for filters in SELECTIVE:
        assert cost(many, filters)[0] <= cost(few, filters)[0] * 1.3, filters


def test_no_page_of_a_walk_costs_more_than_the_first(index: Index) -> None:
    """But for finding where each begins."""
    for filters in (Filters(), Filters(process_ids=PROCESSES[:2]), Filters(owner="ann"), Filters(since=moment(10))):
        first, page = cost(index, filters)
        pages = 1
        while len(page) == PAGE:
            steps, page = cost(index, filters, page[-1])
            pages += 1
            assert steps <= first * 1.5
        assert pages > 9


def test_what_nothing_matches_costs_one_walk_that_looks_nothing_up(index: Index) -> None:
    """Steps are few for each row: it is passed over where it lies."""
    for filters in (
        Filters(min_duration=1e6),
        Filters(max_duration=0),
        Filters(cause="none"),
        Filters(cause_not="none"),
    ):
        assert cost(index, filters)[0] <= 9 * 1000 + 500, filters
