"""A job whose files are torn stays a job: it is listed, says what is wrong, can be removed, and harms no other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.stores import REQUEST, begin, bring_to, create, new_job, open_store, succeed

from geomill.jobstore import (
    Filters,
    JobCorrupt,
    JobFailed,
    JobStore,
    NoSuchJob,
    Status,
    StatusInfo,
)
from geomill.jobstore.folders import LOCK

TORN: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(300)),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a list": lambda path: path.write_text("[]"),
    "nothing known": lambda path: path.write_text("{}"),
    "null": lambda path: path.write_text("null"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe"),
    "too deep": lambda path: path.write_text("[" * 100_000),
    "another job's": lambda path: path.write_text(path.read_text().replace(path.parent.name, "0" * 36)),
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
}
SHAPES = (
    *('"message":[1]', '"progress":"x"', '"pid":"1"', '"owner":null', '"status":"lost"'),
    *('"created":7', '"created":"0001-01-01T00:00+14:00"'),
)


def tear(store: JobStore, job_id: str, name: str, how: str) -> None:
    path = store.folder(job_id) / name
    content = path.read_bytes()
    path.unlink()  # which may be another file by another name
    if how not in ("missing", "a folder"):
        path.write_bytes(content)
    TORN[how](path)


def listed(store: JobStore) -> dict[str, StatusInfo]:
    return {info.job_id: info for info in store.list(Filters(), 100).jobs}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("how", list(TORN))
def test_a_job_with_a_torn_status_is_failed_listed_and_can_be_removed(tmp_path: Path, how: str, status: Status) -> None:
    store = open_store(tmp_path)
    job_id, other = create(store, owner="ada"), create(store)
    bring_to(store, job_id, status)
    succeed(store, other)
    tear(store, job_id, "status.json", how)
    info = store.status(job_id)
    assert (info.status, info.cause, info.job_id, info.owner) == (Status.FAILED, "corrupt", job_id, "ada")
    assert info.message and "status.json" in info.message and str(tmp_path) not in info.message
    assert info.process_id == "echo" and info.etag == store.status(job_id).etag
    for each in (store, JobStore(tmp_path / "home", tmp_path / "run 2")):  # with its index, and with one made anew
        assert listed(each)[job_id] == info
        assert listed(each)[other].status is Status.SUCCESSFUL
    with pytest.raises(JobFailed) as failed:
        store.results(job_id)
    assert failed.value.status_info.cause == "corrupt"
    assert (store.folder(job_id) / "status.json").exists() == (how != "missing"), "what is torn is kept"
    assert store.remove(job_id, match=info.etag).cause == "corrupt"
    with pytest.raises(NoSuchJob):
        store.status(job_id)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_status_of_another_shape_is_torn_too(store: JobStore, shape: str) -> None:
    job_id = create(store)
    succeed(store, job_id)
    path = store.folder(job_id) / "status.json"
    path.write_text(path.read_text()[:-1] + f",{shape}}}")
    assert store.status(job_id).cause == "corrupt"


def test_a_job_of_which_nothing_can_be_read_is_of_nobody_and_of_the_time_in_its_id(store: JobStore) -> None:
    job = new_job()
    store.create(job, REQUEST)
    for name in ("job.json", "status.json"):
        tear(store, job.job_id, name, "empty")
    info = store.status(job.job_id)
    assert (info.owner, info.process_id, info.cause) == ("?", "", "corrupt")
    assert abs((info.created - job.created).total_seconds()) < 60
    assert job.job_id in listed(store)


@pytest.mark.parametrize("job_id", ["ffffffff-ffff-7fff-8fff-ffffffffffff", "00000000-0000-7000-8000-000000000000"])
def test_an_empty_folder_with_the_name_of_a_job_is_one_that_can_be_removed(store: JobStore, job_id: str) -> None:
    store.folder(job_id).mkdir(parents=True)
    assert store.status(job_id).cause == "corrupt"
    store.remove(job_id)
    assert not store.folder(job_id).exists()


def test_a_torn_status_is_found_by_its_new_state_and_no_longer_by_the_old(store: JobStore) -> None:
    job_id = create(store)
    succeed(store, job_id)
    assert [info.job_id for info in store.list(Filters(statuses=(Status.SUCCESSFUL,)), 9).jobs] == [job_id]
    tear(store, job_id, "status.json", "empty")
    assert store.list(Filters(statuses=(Status.SUCCESSFUL,)), 9).jobs == []
    assert [info.job_id for info in store.list(Filters(statuses=(Status.FAILED,)), 9).jobs] == [job_id]


def test_a_job_that_runs_on_without_a_readable_status_comes_to_its_end(store: JobStore) -> None:
    job_id = create(store)
    begin(store, job_id)
    tear(store, job_id, "status.json", "half")
    with open(store.folder(job_id) / LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert store.status(job_id).status is Status.RUNNING
        assert store.move(job_id, Status.SUCCESSFUL).status is Status.SUCCESSFUL
    assert store.status(job_id).cause is None


@pytest.mark.parametrize("how", list(TORN))
@pytest.mark.parametrize("status", [Status.SUCCESSFUL, Status.FAILED])
def test_a_finished_job_with_a_torn_job_json_stays_what_it_was(store: JobStore, how: str, status: Status) -> None:
    job_id = create(store, key="k")
    bring_to(store, job_id, status)
    before = store.status(job_id)
    tear(store, job_id, "job.json", how)
    assert store.status(job_id) == before
    assert listed(store)[job_id] == before
    for ask in (store.job, store.request):
        with pytest.raises(JobCorrupt, match="job.json"):
            ask(job_id)
    store.remove(job_id)
    assert create(store, key="k") != job_id


@pytest.mark.parametrize("how", ["empty", "half", "missing", "a folder"])
def test_a_torn_request_is_not_taken_for_what_was_received(store: JobStore, how: str) -> None:
    job_id = create(store)
    tear(store, job_id, "request.json", how)
    with pytest.raises(JobCorrupt, match="request.json"):
        store.request(job_id)


@pytest.mark.parametrize("how", ["empty", "half", "a list", "null", "no text", "too deep", "missing", "a folder"])
def test_torn_results_are_said_to_be_torn(store: JobStore, how: str) -> None:
    job_id = create(store)
    succeed(store, job_id)
    tear(store, job_id, "results.json", how)
    with pytest.raises(JobCorrupt, match="results.json"):
        store.results(job_id)
    assert store.status(job_id).status is Status.SUCCESSFUL


@pytest.mark.parametrize("text", ['{"a":7}', '{"a":{"items":7}}', '{"a":{"file":7}}', '{"a":{"members":[]}}'])
def test_results_of_another_shape_are_torn_too(store: JobStore, text: str) -> None:
    job_id = create(store)
    succeed(store, job_id)
    (store.folder(job_id) / "results.json").write_text(text)
    with pytest.raises(JobCorrupt, match="results.json"):
        store.results(job_id)


def test_a_request_sent_again_whose_job_is_torn_makes_no_second_job(store: JobStore) -> None:
    job_id = create(store, key="k")
    tear(store, job_id, "job.json", "empty")
    tear(store, job_id, "status.json", "empty")
    assert store.create(new_job(key="k"), REQUEST).job_id == job_id
    store.remove(job_id)
    assert create(store, key="k") != job_id


def test_what_is_no_link_among_the_keys_leads_nowhere(store: JobStore) -> None:
    job_id = create(store, key="k")
    (key,) = store.keys.folder.iterdir()
    key.unlink()
    key.write_text(job_id)
    assert create(store, key="k") != job_id
    assert os.readlink(key) != job_id
