"""How many jobs wait is counted as they come and go, so that every new job can know it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.stores import begin, bring_to, create, open_store, succeed

from geomill.jobstore import JobStore, Status, StatusInfo
from geomill.jobstore.index import Index
from geomill.jobstore.listing import repair_index
from geomill.jobstore.records import new_job_id, now

OWNERS = ("", "ann", "bob")


def counted(index: Index) -> dict[str, tuple[int, int]]:
    return {owner: index.waiting(owner) for owner in OWNERS}


def listed(index: Index) -> dict[str, tuple[int, int]]:
    """The same from the rows."""
    waiting = [owner for _, owner in index.ids(Status.ACCEPTED)]
    return {owner: (len(waiting), waiting.count(owner)) for owner in OWNERS}


@pytest.mark.parametrize("seed", range(5))
def test_what_waits_is_counted_whatever_happens_to_a_job(store: JobStore, seed: int) -> None:
    drawing, ids = random.Random(seed), []  # noqa: S311
    for _ in range(40):
        ids.append(create(store, owner=drawing.choice(OWNERS), durable=False))
        job_id = drawing.choice(ids)
        info = store.read_status(job_id)
        step = drawing.randrange(7)
        if step == 0 and info.status is Status.ACCEPTED:
            bring_to(store, job_id, drawing.choice([Status.RUNNING, Status.DISMISSED, Status.FAILED]))
        elif step == 1:
            store.index.begin(job_id)
        elif step == 2:
            store.index.put(info)  # again, or after the dispatcher has noted that it begins
        elif step == 3:
            store.index.delete(job_id)
        elif step == 6:
            store.index.wait(job_id)  # it did not begin after all
        elif step == 4:
            store.index.doubt()
            repair_index(store)
        elif info.status is Status.ACCEPTED:
            begin(store, job_id)
            succeed(store, job_id, begun=True)
        assert counted(store.index) == listed(store.index)


def test_a_job_that_begins_does_not_wait_again_though_who_accepted_it_notes_that_late(store: JobStore) -> None:
    job_id = create(store, durable=False)
    accepted = store.read_status(job_id)
    store.index.begin(job_id)
    store.index.put(accepted)
    assert store.index.ids(Status.ACCEPTED) == [] and store.index.waiting("") == (0, 0)
    store.index.wait(job_id)
    assert store.index.ids(Status.RUNNING) == [] and store.index.waiting("")[0] == 1
    succeed(store, job_id)
    store.index.wait(job_id)
    store.index.put(accepted)
    assert [store.index.ids(each) for each in (Status.ACCEPTED, Status.RUNNING)] == [[], []]
    assert len(store.index.ids(Status.SUCCESSFUL)) == 1


def test_who_has_none_left_takes_no_room(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for owner in OWNERS:
        bring_to(store, create(store, owner=owner), Status.DISMISSED)
    assert store.index.read("SELECT * FROM waiting") == []


def test_ten_thousand_that_wait_are_counted_in_as_many_steps_as_ten(tmp_path: Path) -> None:
    costs = []
    for many in (10, 10_000):
        index, steps = Index(tmp_path / f"{many}.sqlite"), []
        index.read("SELECT 1")
        connection = index._connection()
        connection.execute("BEGIN")
        for number in range(many):
            index.put(StatusInfo(new_job_id(), "echo", OWNERS[number % 2], now()))
        connection.execute("COMMIT")
        connection.set_progress_handler(lambda steps=steps: steps.append(1), 1)  # type: ignore[misc]
        assert index.waiting("ann") == (many, many // 2)
        connection.set_progress_handler(None, 1)
        costs.append(len(steps))
    assert costs[0] == costs[1] < 100


def test_an_index_has_another_version_when_somebody_else_has_written(tmp_path: Path) -> None:
    ours, others = (open_store(tmp_path) for _ in range(2))
    create(ours)
    version = ours.index.version()
    create(ours)
    assert ours.index.version() == ours.index.version() == version
    create(others)
    assert ours.index.version() != version
    version = ours.index.version()
    ours.index.close()
    assert ours.index.version() != version  # nobody knows what was written meanwhile
