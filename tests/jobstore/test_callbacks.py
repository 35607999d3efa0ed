"""The marks of jobs that somebody has yet to hear of, and the log of what he was told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.forks import crash_at
from support.stores import REQUEST, bring_to, create, new_job, open_store

from geomill.jobstore import JobStore, NoSuchJob, Status
from geomill.jobstore.callbacks import LARGEST_LOG, note, noted
from geomill.jobstore.folders import CALLBACKS

ROOT = "http://127.0.0.1:8080/acme/ogc-api/"
CALLS = ("open", "write", "rename", "link", "fsync", "mkdir")


def test_a_job_is_marked_until_that_is_taken_back(store: JobStore) -> None:
    first, second = create(store, root=ROOT), create(store, root=ROOT)
    create(store)
    assert store.callbacks.expected() == sorted([first, second])
    assert store.callbacks.root(first) == ROOT
    store.callbacks.forget(first)
    store.callbacks.forget(first)
    assert (store.callbacks.expected(), store.callbacks.root(first)) == ([second], None)


def test_a_job_that_is_removed_has_no_mark(store: JobStore) -> None:
    job_id = create(store, root=ROOT)
    bring_to(store, job_id, Status.SUCCESSFUL)
    store.remove(job_id)
    assert store.callbacks.expected() == []


def test_each_tenant_has_its_own(store: JobStore) -> None:
    create(store, root=ROOT)
    assert store.of("acme").callbacks.expected() == []


def test_no_job_is_there_without_its_mark(tmp_path: Path) -> None:
    store, call = open_store(tmp_path), 1
    while True:
        job = new_job()

        def make(job=job) -> None:  # type: ignore[no-untyped-def]
            open_store(tmp_path).create(job, REQUEST, callback_root=ROOT)

        if not crash_at(call, CALLS, make):
            break
        try:
            store.status(job.job_id)
        except NoSuchJob:
            call += 1
            continue
        assert store.callbacks.root(job.job_id) == ROOT
        call += 1
    assert call > 5


def test_an_accepted_job_with_a_subscriber_takes_one_fsync_more(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append(descriptor) or fsync(descriptor))
    create(store)
    without, calls[:] = len(calls), []
    create(store, root=ROOT)
    assert (without, len(calls)) == (3, 4)


def test_attempts_are_read_as_they_were_noted(tmp_path: Path) -> None:
    lines = [{"id": "a", "time": "t", "n": number} for number in range(3)]
    for line in lines:
        note(tmp_path, line, last=True)
    assert noted(tmp_path) == lines
    assert (tmp_path / CALLBACKS).stat().st_mode & 0o777 == 0o600


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    note(tmp_path, {"id": "a"}, last=True)
    with open(tmp_path / CALLBACKS, "ab") as file:
        file.write(b'{"id": "to')
    note(tmp_path, {"id": "b"}, last=True)
    with open(tmp_path / CALLBACKS, "ab") as file:
        file.write(b"7\n\xff\n" + b"[" * 100_000 + b"\n")
    assert [line["id"] for line in noted(tmp_path)] == ["a", "b"]


def test_the_log_of_weeks_has_an_end(tmp_path: Path) -> None:
    (tmp_path / CALLBACKS).write_bytes((json.dumps({"id": "x"}) + "\n").encode() * (LARGEST_LOG // 10))
    size = (tmp_path / CALLBACKS).stat().st_size
    note(tmp_path, {"id": "report"}, last=False)
    assert (tmp_path / CALLBACKS).stat().st_size == size
    note(tmp_path, {"id": "end"}, last=True)
    assert noted(tmp_path)[-1] == {"id": "end"}


def test_there_is_no_log_where_nothing_was_told(tmp_path: Path) -> None:
    assert noted(tmp_path) == noted(tmp_path / "nowhere") == []
