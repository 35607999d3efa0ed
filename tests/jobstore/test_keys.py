"""Idempotency keys: the same request again is the same job."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.forks import race
from support.stores import bring_to, create, open_store

from geomill.jobstore import IdempotencyConflict, JobStore, QueueFull, Status, StoreFull


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
    with pytest.raises(IdempotencyConflict, match=job_id):
        create(store, key="k", **other)  # type: ignore[arg-type]
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
