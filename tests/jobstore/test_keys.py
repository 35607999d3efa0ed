"""Idempotency keys: the same request again is the same job."""

from __future__ import annotations

import fcntl
import os
from hashlib import sha256
from pathlib import Path

import pytest
from support.forks import race
from support.mills import take
from support.stores import bring_to, create, open_store

from geomill.jobstore import IdempotencyConflict, JobStore, QueueFull, Status, StoreBusy, StoreFull, TooManyJobs
from geomill.jobstore.fsck import check


def test_the_same_request_with_the_same_key_is_the_same_job(store: JobStore) -> None:
    job_id = create(store, key="k")
    assert create(store, key="k") == job_id
    assert list(store.walk()) == [job_id]


def test_the_job_of_a_key_is_found_after_it_has_ended(store: JobStore) -> None:
    job_id = create(store, key="k")
    bring_to(store, job_id, Status.SUCCESSFUL)
    assert create(store, key="k") == job_id
    assert store.status(job_id).status is Status.SUCCESSFUL


@pytest.mark.parametrize("other", [{"request": b'{"inputs":{"text":"other"}}'}, {"process_id": "buffer"}])
def test_another_request_with_the_same_key_is_a_conflict(store: JobStore, other: dict[str, bytes]) -> None:
    job_id = create(store, key="k")
    with pytest.raises(IdempotencyConflict, match="used for another request") as told:
        create(store, key="k", **other)  # type: ignore[arg-type]
    assert job_id not in str(told.value)
    assert list(store.walk()) == [job_id]


@pytest.mark.parametrize("other", [{"key": "another"}, {"key": "k", "owner": "other"}, {"key": None}])
def test_a_key_counts_for_its_owner_alone(store: JobStore, other: dict[str, str]) -> None:
    assert create(store, key="k", owner="one") != create(store, **{"owner": "one", **other})


@pytest.mark.parametrize("key", ["../../../etc/passwd", "", "a\nb", "k" * 10_000, "ключ"])
def test_a_key_may_be_any_text(store: JobStore, key: str) -> None:
    assert create(store, key=key) == create(store, key=key)


def test_a_removed_job_frees_its_key(store: JobStore) -> None:
    job_id = create(store, key="k")
    bring_to(store, job_id, Status.FAILED)
    store.remove(job_id)
    assert create(store, b'{"inputs":{}}', key="k") != job_id


def test_two_processes_at_once_make_one_job_of_a_key(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for attempt in range(5):
        answers = race(*[lambda key=str(attempt): create(open_store(tmp_path), key=key)] * 3)  # type: ignore[misc]
        assert len(set(answers)) == 1
    assert len(list(store.walk())) == 5


def test_as_many_jobs_wait_as_may_wait(tmp_path: Path) -> None:
    store = open_store(tmp_path, max_queued=2)
    first, _ = create(store), create(store)
    with pytest.raises(QueueFull) as refused:
        create(store)
    assert refused.value.retry_after > 0
    bring_to(store, first, Status.RUNNING)
    assert create(store)


def test_as_many_jobs_of_one_owner_wait_as_may_wait(tmp_path: Path) -> None:
    store = open_store(tmp_path, max_queued=4, max_queued_of_one=2)
    first, _ = create(store, owner="ann"), create(store, owner="ann")
    with pytest.raises(TooManyJobs, match="2 of your jobs") as refused:
        create(store, owner="ann")
    assert refused.value.retry_after > 0
    assert create(store, owner="bob") and create(store.of("default"), owner="")
    bring_to(store, first, Status.RUNNING)
    assert create(store, owner="ann")
    with pytest.raises(QueueFull):
        create(store, owner="bob")


def test_owners_of_other_tenants_are_others(tmp_path: Path) -> None:
    store = open_store(tmp_path, max_queued_of_one=1)
    other = JobStore(store.home, store.runtime, "acme", store.admission)
    assert create(store, owner="ann") and create(other, owner="ann")


def test_a_refused_job_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path, max_queued=1)
    create(store)
    with pytest.raises(QueueFull):
        create(store, key="k")
    assert len(list(store.walk())) == 1
    assert [path.name[0] for path in store.jobs.glob("*/*")] == ["0"]


def test_a_key_answers_though_the_queue_is_full(tmp_path: Path) -> None:
    store = open_store(tmp_path, max_queued=1)
    assert create(store, key="k") == create(store, key="k")


@pytest.mark.parametrize("limit", ["min_free_bytes", "min_free_inodes"])
def test_no_job_is_accepted_when_the_disk_is_nearly_full(tmp_path: Path, limit: str) -> None:
    store = open_store(tmp_path, **{limit: 10**18})
    with pytest.raises(StoreFull):
        create(store)
    assert list(store.walk()) == []


def test_a_key_that_a_stopped_process_looks_up_is_refused_for_now_and_harms_no_removal(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    job_id = create(store, key="k")
    bring_to(store, job_id, Status.SUCCESSFUL)
    name = sha256(b"\0k").hexdigest()
    stopped = take(store.locks.path(f"key-{name[:2]}"), fcntl.LOCK_EX)
    store.locks.patience = 0.2
    with pytest.raises(StoreBusy, match="Idempotency-Key is being looked up"):
        create(store, key="k")
    store.remove(job_id)
    os.close(stopped)
    assert create(store, key="k") != job_id
    assert check(store) == []
