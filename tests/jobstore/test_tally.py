"""Counts of ended jobs: each once, whoever notes its end and how often, and whatever becomes of job and index."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from support.stores import begin, bring_to, create, succeed

from geomill.jobstore import JobStore, Status, tally
from geomill.jobstore.listing import repair_index
from geomill.jobstore.records import now

ENDS = (Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED)


def ended(store: JobStore) -> dict[str, int]:
    """How many jobs have ended, by their states."""
    counts = Counter[str]()
    for _, status, _, _, jobs, _ in tally.read(store.index).ended:
        counts[status] += jobs
    return dict(counts)


def waited(store: JobStore) -> int:
    """How many jobs have begun."""
    return sum(jobs for _, jobs, _ in tally.read(store.index).waited)


@pytest.fixture(autouse=True)
def _sound(store: JobStore) -> None:
    repair_index(store)


def test_each_end_is_counted_once_however_often_it_is_noted(store: JobStore) -> None:
    for status in ENDS:
        job_id = create(store)
        bring_to(store, job_id, status)
        for _ in range(3):
            store.index.put(store.read_status(job_id))
    create(store)
    begin(store, create(store))
    assert ended(store) == dict.fromkeys(ENDS, 1)
    found = tally.read(store.index)
    assert (found.accepted, found.running) == (1, 1)
    assert {(process, cause) for process, _, cause, *_ in found.ended} == {("echo", ""), ("echo", "exception")}


def test_what_is_removed_or_expires_stays_counted(store: JobStore) -> None:
    removed, expired = create(store), create(store)
    succeed(store, removed)
    succeed(store, expired)
    store.remove(removed)
    store.expire(expired, "age")
    store.index.put(store.read_status(expired))
    assert ended(store) == {"successful": 2}


def test_a_job_that_is_removed_before_anybody_has_noted_its_end_is_counted(store: JobStore) -> None:
    job_id = create(store)
    noted_late = succeed(store.unindexed(), job_id)  # as a supervisor does
    assert ended(store) == {}
    store.remove(job_id)
    assert ended(store) == {"successful": 1}
    store.index.put(noted_late)  # the dispatcher had read it just before
    assert ended(store) == {"successful": 1}


def test_an_index_that_is_made_anew_goes_on_counting(store: JobStore) -> None:
    gone, known, unknown = create(store), create(store), create(store)
    succeed(store, gone)
    succeed(store, known)
    store.remove(gone)
    begin(store, unknown)
    succeed(store.unindexed(), unknown, begun=True)
    for _ in range(3):
        store.index.doubt()
        repair_index(store)
        assert ended(store) == {"successful": 3}
    assert waited(store) == 3


def test_who_ends_while_an_index_is_made_anew_is_counted_once(store: JobStore) -> None:
    first, second = create(store), create(store)
    for job_id in (first, second):
        begin(store, job_id)
    store.index._renew(instead=True)  # and nothing is in it yet
    before = succeed(store.unindexed(), first, begun=True)
    store.index.put(before)  # the dispatcher notes it, then the folder is read
    store.index.put(before)
    store.index.put(succeed(store.unindexed(), second, begun=True))  # the other way round
    assert ended(store) == {"successful": 2}
    repair_index(store)
    assert ended(store) == {"successful": 2}


def test_who_begins_while_an_index_is_made_anew_is_counted_once(store: JobStore) -> None:
    first, second = create(store), create(store)
    store.index.begin(first)  # as a dispatcher does, before the job says so itself
    for _ in range(2):
        store.index.doubt()
        repair_index(store)
    succeed(store, first)
    store.index._renew(instead=True)
    store.index.put(begin(store.unindexed(), second))
    repair_index(store)
    assert waited(store) == 2
    succeed(store, second, begun=True)
    store.index.doubt()
    repair_index(store)
    assert (waited(store), ended(store)) == (2, {"successful": 2})


def test_counts_that_nobody_can_read_begin_at_nothing(store: JobStore) -> None:
    succeed(store, create(store))
    name = store.index.path.with_name(store.index.incarnation)
    store.index.close()
    name.write_bytes(b"no index" * 1000)
    name.with_name(f"{name.name}-wal").unlink(missing_ok=True)
    repair_index(store)
    assert ended(store) == {}
    succeed(store, create(store))
    assert ended(store) == {"successful": 1}


def test_times_are_told_in_buckets(store: JobStore) -> None:
    job_id, moment = create(store), now()
    info = store.read_status(job_id)
    created = moment - timedelta(seconds=500)
    begun = replace(info, created=created, started=created + timedelta(seconds=5), status=Status.RUNNING)
    other = replace(begun, job_id=create(store))
    for each in (begun, other):
        store.index.delete(each.job_id)
        store.index.put(replace(each, status=Status.ACCEPTED, started=None))
        store.index.put(each)
        store.index.put(replace(each, status=Status.FAILED, cause="exit", finished=moment))
    found = tally.read(store.index)
    assert [(bucket, jobs, round(seconds)) for bucket, jobs, seconds in found.waited] == [(2, 2, 10)]
    assert [(bucket, jobs, round(seconds)) for *_, bucket, jobs, seconds in found.ended] == [(4, 2, 990)]
    store.move(create(store), Status.DISMISSED)
    assert [row[3:] for row in tally.read(store.index).ended if row[1] == "dismissed"] == [(tally.NEVER, 1, 0)]


def test_a_job_begins_once_though_an_older_status_is_noted_after_that(store: JobStore) -> None:
    job_id = create(store)
    before = store.read_status(job_id)
    store.index.begin(job_id)
    store.index.put(before)  # by somebody who makes the index anew, and had read it before
    succeed(store, job_id)
    assert waited(store) == 1


def test_processes_are_told_apart_up_to_a_number(store: JobStore) -> None:
    info = store.read_status(create(store))
    for number in range(tally.MOST_PROCESSES + 20):
        for job in range(2):
            each = replace(info, job_id=f"{info.job_id[:-6]}{number:04}{job:02}", process_id=f"p{number}")
            store.index.put(each)
            store.index.put(replace(each, status=Status.DISMISSED, finished=now()))
    counts = {process: jobs for process, *_, jobs, _ in tally.read(store.index).ended}
    assert len(counts) == tally.MOST_PROCESSES + 1
    assert counts.pop(tally.OTHERS) == 40 and set(counts.values()) == {2}


def test_who_waits_longest_is_known(store: JobStore) -> None:
    assert tally.read(store.index).oldest is None
    create(store, age=10)
    old = create(store, age=100)
    assert tally.read(store.index).oldest == store.read_status(old).created.timestamp()
