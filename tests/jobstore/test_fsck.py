"""The check of a store finds every kind of broken promise, and changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from support.stores import begin, create, open_store, succeed

from geomill.jobstore import Filters, JobStore, Result, Status, folders
from geomill.jobstore import files as job_files
from geomill.jobstore.fsck import COMMITTED, DERIVED, KEYED, REPLACED, SWEPT, WHOLE, check
from geomill.jobstore.listing import repair_index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a successful job with a file, in a store where all is well."""
    store = open_store(tmp_path)
    job_id = create(store, key="k")
    begin(store, job_id)
    folder = store.folder(job_id)
    (folder / "outputs").mkdir()
    job_files.create(folder / "outputs" / "a.txt", b"four", durable=False)
    results = {"a": {"file": "a.txt", "size": 4}, "b": {"items": [{"file": "a.txt", "size": 4}]}}
    job_files.write_json(folder / "results.json", results, durable=False)
    store.move(job_id, Status.SUCCESSFUL)
    store.list(Filters(), 1)
    return folder


def unfinished(folder: Path, name: str) -> None:
    (folder.parent / name).mkdir()
    os.utime(folder.parent / name, (0, 0))


def dangling(folder: Path, store: JobStore) -> None:
    os.symlink("0198f3c2-0000-7000-8000-000000000000", store.keys.folder / ("0" * 64))
    os.utime(store.keys.folder / ("0" * 64), (0, 0), follow_symlinks=False)


def mislead(folder: Path, store: JobStore) -> None:
    os.symlink(folder.name, store.keys.folder / sha256(b"other").hexdigest())


def renumber(folder: Path, store: JobStore) -> None:
    job = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps({**job, "job_id": "another"}))


def leave_sibling(folder: Path, store: JobStore) -> None:
    (folder / ".status.json.1-00").touch()
    os.utime(folder / ".status.json.1-00", (0, 0))


HARM: dict[str, tuple[Callable[[Path, JobStore], object], str]] = {
    "no job.json": (lambda folder, store: (folder / "job.json").unlink(), WHOLE),
    "no request": (lambda folder, store: (folder / "request.json").unlink(), WHOLE),
    "another's job.json": (renumber, REPLACED),
    "half made": (lambda folder, store: unfinished(folder, ".new-x"), WHOLE),
    "half removed": (lambda folder, store: unfinished(folder, ".old-x"), WHOLE),
    "a stranger": (lambda folder, store: (folder.parent / "x").mkdir(), WHOLE),
    "torn status": (lambda folder, store: (folder / "status.json").write_text("{"), REPLACED),
    "half replaced": (leave_sibling, REPLACED),
    "torn results": (lambda folder, store: (folder / "results.json").write_text("["), COMMITTED),
    "no results": (lambda folder, store: (folder / "results.json").unlink(), COMMITTED),
    "no file": (lambda folder, store: (folder / "outputs" / "a.txt").unlink(), COMMITTED),
    "a short file": (lambda folder, store: (folder / "outputs" / "a.txt").write_text("x"), COMMITTED),
    "scratch": (lambda folder, store: (folder / "work").mkdir(), SWEPT),
    "not indexed": (lambda folder, store: store.index.delete(folder.name), DERIVED),
    "a dangling key": (dangling, KEYED),
    "a wrong key": (mislead, KEYED),
}


# what no program can bring back; the job stays readable as far as it is
FOR_PEOPLE = {
    *("no job.json", "no request", "another's job.json", "a stranger"),
    *("torn results", "no results", "no file", "a short file"),
}


def contents(root: Path) -> dict[str, object]:
    """Everything below a folder but SQLite's files, which a reader's leaving may tidy."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in root.rglob("*")
        if ".sqlite" not in path.name and path.name != "run"
    }


@pytest.mark.parametrize("kind", list(HARM))
def test_what_can_be_mended_is_mended_and_no_result_is_removed(folder: Path, tmp_path: Path, kind: str) -> None:
    store, (harm, _) = open_store(tmp_path), HARM[kind]
    harm(folder, store)
    before = contents(folder / "outputs") if (folder / "outputs").exists() else {}
    found = check(store)
    told = [each.mend() for each in found if each.mend]
    assert all(told) and (told or kind in FOR_PEOPLE)
    left = {each.promise for each in check(open_store(tmp_path)) if "index" not in each.promise}
    assert left == ({HARM[kind][1]} if kind in FOR_PEOPLE else set())
    assert contents(folder / "outputs") == before
    assert store.status(folder.name).status.final


def test_a_torn_status_is_kept_beside_the_mended_one(folder: Path, tmp_path: Path) -> None:
    store = open_store(tmp_path)
    (folder / "status.json").write_text('{"half')
    (finding,) = (each for each in check(store) if each.mend and "status.json" in each.text)
    assert "status.json.torn" in finding.mend()
    assert (folder / "status.json.torn").read_text() == '{"half'
    info = folders.read_status(folder)
    assert (info.status, info.cause, info.process_id) == (Status.FAILED, "corrupt", "echo")
    assert (folder / "outputs" / "a.txt").read_bytes() == b"four"


def test_a_job_that_waits_and_of_which_nobody_can_tell_what_was_asked_is_failed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    job_id = create(store)
    (store.folder(job_id) / "request.json").write_text("{")
    (finding,) = check(store)
    assert finding.mend and finding.mend()
    assert store.read_status(job_id).cause == "corrupt"


def test_a_lost_job_is_failed_and_its_scratch_removed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    job_id = create(store)
    begin(store, job_id)
    (store.folder(job_id) / "work").mkdir()
    repair_index(store)
    for finding in check(store):
        assert finding.mend and finding.mend()
    assert store.read_status(job_id).cause == "lost"
    assert check(store) == []


def test_what_was_mended_meanwhile_is_left(folder: Path, tmp_path: Path) -> None:
    store = open_store(tmp_path)
    good = (folder / "status.json").read_bytes()
    (folder / "status.json").write_text("")
    (torn,) = (each for each in check(store) if each.mend and "status.json" in each.text)
    (folder / "status.json").write_bytes(good)
    mislead(folder, store)
    (key,) = (each for each in check(store) if each.promise == KEYED)
    key.path.unlink()
    os.symlink("0198f3c2-0000-7000-8000-000000000000", key.path)
    assert torn.mend and torn.mend() == "it can be read again"
    assert (folder / "status.json").read_bytes() == good


def test_a_sound_store_has_no_findings(folder: Path, tmp_path: Path) -> None:
    assert check(open_store(tmp_path)) == []


@pytest.mark.parametrize("kind", list(HARM))
def test_a_broken_promise_is_found_and_nothing_is_changed(folder: Path, tmp_path: Path, kind: str) -> None:
    store, (harm, promise) = open_store(tmp_path), HARM[kind]
    harm(folder, store)
    before = contents(tmp_path)
    findings = check(store)
    assert promise in {each.promise for each in findings}
    assert all(each.text and each.path for each in findings)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("gone", [".sqlite", ""])
def test_an_index_that_is_made_anew_before_anybody_reads_it_is_no_finding(
    folder: Path, tmp_path: Path, gone: str
) -> None:
    store = open_store(tmp_path)
    if gone:
        store.index.path.unlink()
    else:
        store.index.delete(folder.name)
        store.index.path.with_suffix(".stale").touch()
    assert check(open_store(tmp_path)) == []


def test_a_running_job_without_a_supervisor_is_found_and_left(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    job_id = create(store)
    info = begin(store, job_id)
    repair_index(store)
    assert [each.path.name for each in check(store)] == ["job.json"]
    assert store.read_status(job_id) == info


def test_what_is_being_made_right_now_is_no_finding(folder: Path, tmp_path: Path) -> None:
    (folder.parent / ".new-x").mkdir()
    (folder.parent / ".old-x").mkdir()
    (folder / ".status.json.1-00").touch()
    assert check(open_store(tmp_path)) == []


def test_a_finding_names_every_missing_file_of_a_list(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    job_id = create(store)
    succeed(store, job_id, {"many": Result(items=(Result(file="a", size=1), Result(file="b", size=1)))})
    repair_index(store)
    assert [each.path.name for each in check(store)] == ["a", "b"]
