"""A job appears whole or not at all, and disappears whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.forks import crash_at
from support.stores import REQUEST, bring_to, create, new_job, open_store, succeed

from geomill.jobstore import GivenGone, InvalidTransition, Job, JobStore, NoSuchJob, Status, StatusChanged
from geomill.jobstore import files as job_files
from geomill.jobstore.fsck import check
from geomill.jobstore.index import Filters
from geomill.jobstore.listing import repair_index

CALLS = ("open", "write", "rename", "link", "fsync", "mkdir", "symlink", "replace")




def test_a_new_job_is_accepted_and_has_its_request(store: JobStore) -> None:
    job = new_job()
    info = store.create(job, REQUEST)
    assert (info.status, info.created, info.process_id) == (Status.ACCEPTED, job.created, "echo")
    assert store.status(job.job_id) == info
    assert store.job(job.job_id) == job
    assert store.request(job.job_id) == REQUEST


def test_files_of_a_job_are_readable_by_their_owner_alone(store: JobStore) -> None:
    folder = store.folder(create(store))
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("key", [None, "once"])
@pytest.mark.parametrize("durable", [True, False])
def test_a_crash_at_any_call_of_create_leaves_a_whole_job_or_none(tmp_path: Path, durable: bool, key: str) -> None:
    store, call, there = open_store(tmp_path), 1, 0
    (tmp_path / "file").write_bytes(b"of somebody")
    given = {name: tmp_path / "file" for name in ("a", "b")}

    def create_one(job: Job) -> None:
        open_store(tmp_path).create(job, REQUEST, durable=durable, given=given)

    while True:
        job = new_job(key=key and f"{key} {call}")
        if not crash_at(call, CALLS, lambda job=job: create_one(job)):
            break
        found = [info.job_id for info in store.list(Filters(), 1000).jobs]
        walked = job.job_id in store.walk()
        if walked:
            there += 1
            assert store.status(job.job_id).status is Status.ACCEPTED
            assert store.job(job.job_id) == job
            assert store.request(job.job_id) == REQUEST
            held = {path.name: path.read_bytes() for path in (store.folder(job.job_id) / "given").iterdir()}
            assert held == dict.fromkeys(given, b"of somebody")
        else:
            assert job.job_id not in found
            with pytest.raises(NoSuchJob):
                store.status(job.job_id)
        call += 1
    assert call > 10
    assert there < call / 2
    again = create(store, key=key)
    repair_index(store)
    assert again in [info.job_id for info in store.list(Filters(), 1000).jobs]


def test_a_job_is_not_there_where_a_file_that_it_is_given_is_not(store: JobStore, tmp_path: Path) -> None:
    with pytest.raises(GivenGone):
        store.create(new_job(), REQUEST, given={"a": tmp_path / "none"})
    assert list(store.walk()) == [] and not list(store.jobs.glob("*/.*"))


def test_a_key_whose_creation_crashed_can_be_used_again(tmp_path: Path) -> None:
    call, store = 1, open_store(tmp_path)
    while crash_at(call, CALLS, lambda: create(open_store(tmp_path), key=f"key {call}")):  # noqa: B023  # called at once
        job_id = create(store, key=f"key {call}")
        assert store.status(job_id).status is Status.ACCEPTED
        call += 1
    assert len(set(store.walk())) == len(list(store.keys.folder.iterdir())) == call


@pytest.mark.parametrize("to", [Status.RUNNING, Status.DISMISSED])
def test_a_crash_at_any_call_of_a_move_leaves_the_old_status_or_the_new(tmp_path: Path, to: Status) -> None:
    store, call, seen = open_store(tmp_path), 1, set()
    while True:
        job_id = create(store)
        crashed = crash_at(call, CALLS, lambda job_id=job_id: open_store(tmp_path).move(job_id, to))
        info = store.read_status(job_id)
        assert info.status in (Status.ACCEPTED, to)
        seen.add(info.status)
        if not crashed:
            break
        if info.status is Status.ACCEPTED:
            assert store.move(job_id, to).status is to
        call += 1
    assert seen == {Status.ACCEPTED, to}


def test_a_crash_at_any_call_of_remove_leaves_a_whole_job_or_none(tmp_path: Path) -> None:
    store, call, gone = open_store(tmp_path), 1, 0
    calls = (*CALLS, "unlink", "rmdir")
    while True:
        job_id = create(store, key=f"key {call}")
        bring_to(store, job_id, Status.FAILED)
        crashed = crash_at(call, calls, lambda job_id=job_id: open_store(tmp_path).remove(job_id))
        if store.folder(job_id).exists():
            assert sorted(os.listdir(store.folder(job_id))) == ["job.json", "request.json", "status.json"]
        else:
            gone += 1
            assert job_id not in [info.job_id for info in store.list(Filters(), 1000).jobs]
            assert create(store, key=f"key {call}")
        if not crashed:
            break
        call += 1
    assert gone > 3
    assert not [each for each in check(store) if "index" not in each.promise]


def test_what_a_crash_left_half_made_is_found_an_hour_later(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    create(store)
    crash_at(1, ("link",), lambda: create(open_store(tmp_path)))
    (left,) = store.jobs.glob("*/.new-*")
    assert check(store) == []
    os.utime(left, (0, 0))
    assert [each.path for each in check(store)] == [left]


def test_a_removed_job_is_gone_with_its_shard_and_its_row(store: JobStore) -> None:
    job_id = create(store)
    succeed(store, job_id)
    assert store.remove(job_id).status is Status.SUCCESSFUL
    assert list(store.jobs.iterdir()) == []
    assert store.list(Filters(), 10).jobs == []
    for ask in (store.status, store.job, store.request, store.results, store.log, store.remove):
        with pytest.raises(NoSuchJob):
            ask(job_id)


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.RUNNING])
def test_a_job_that_has_not_finished_cannot_be_removed(store: JobStore, status: Status) -> None:
    job_id = create(store)
    bring_to(store, job_id, status)
    with pytest.raises(InvalidTransition):
        store.remove(job_id)
    assert store.folder(job_id).exists()


def test_a_job_is_removed_only_in_the_state_that_was_named(store: JobStore) -> None:
    job_id = create(store)
    before = store.status(job_id).etag
    succeed(store, job_id)
    with pytest.raises(StatusChanged):
        store.remove(job_id, match=before)
    store.remove(job_id, match=store.status(job_id).etag)


@pytest.mark.parametrize(
    "job_id",
    [
        *("", ".", "..", "../../etc/passwd", "x" * 36, "0198f3c2/../../../../etc/passwd", "%2e%2e%2f"),
        *("0198F3C2-0000-7000-8000-000000000000", "0198f3c2-0000-7000-8000-00000000000"),
        *(f"0198f3c2-0000-7000-8000-000000000000{end}" for end in "/\n\0"),
        "\uff10198f3c2-0000-7000-8000-00000000000",
    ],
)
def test_what_is_no_id_is_no_job(store: JobStore, job_id: str) -> None:
    for ask in (store.status, store.job, store.request, store.results, store.log, store.remove, store.ask_dismissal):
        with pytest.raises(NoSuchJob):
            ask(job_id)
    with pytest.raises(NoSuchJob):
        store.move(job_id, Status.RUNNING)


@pytest.mark.parametrize("name", ["../status.json", "../../x", "/etc/passwd", "a/../../job.json"])
def test_an_output_never_leads_out_of_its_folder(store: JobStore, name: str) -> None:
    job_id = create(store)
    assert store.folder(job_id) / "outputs" in Path(os.path.normpath(store.output(job_id, name))).parents


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    with pytest.raises(TypeError):
        job_files.write_json(tmp_path / "file", {"no": object()}, durable=False)
    with pytest.raises(OSError):
        job_files.write_bytes(tmp_path / "missing" / "file", b"", durable=False)
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "{}"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_was_closed_by_its_owner_is_removed_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c").touch()
    for path in (folder / "a" / "b", folder / "a", folder):
        path.chmod(0o500 if path == folder else 0)
    job_files.remove_tree(folder)
    assert not folder.exists()
