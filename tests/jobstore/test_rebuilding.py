"""The index is made anew from the folders, however many there are: who asks for the newest meanwhile need not wait."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.stores import create, open_store, succeed

from geomill.jobstore import Filters, JobStore, Status, StatusInfo, StoreBusy, index, listing
from geomill.jobstore.alive import boot_id
from geomill.jobstore.records import new_job_id

HOUR = 3600.0
BATCH = 5
COUNTED = ("openat", "open", "read", "pread64", "close", "stat", "lstat", "fstat", "newfstatat", "statx", "getdents64")


@pytest.fixture
def hours(store: JobStore) -> list[str]:
    """Jobs of twenty hours, the newest first: each lies in a shard of its own."""
    now = time.time()
    moments = [now - number * HOUR for number in range(20)]
    made = [(new_job_id(moment), datetime.fromtimestamp(moment, UTC)) for moment in moments]
    return [create(store, job_id=job_id, created=created, durable=False) for job_id, created in made]


@pytest.fixture(autouse=True)
def _in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_BATCH", BATCH)
    monkeypatch.setattr(listing, "_PATIENCE", 0.1)


@contextmanager
def stopped(store: JobStore, after: int) -> Iterator[None]:
    """While another makes the index anew, and has come as far as these jobs; then he goes on to its end."""
    come, go_on = threading.Event(), threading.Event()

    def said() -> Iterator[StatusInfo]:
        for number, info in enumerate(listing.said_by_folders(store)):
            if number == after:
                come.set()
                assert go_on.wait(30)
            yield info

    def work() -> None:
        with store.locks.index(store.tenant, 5):
            store.index.rebuild(said(), boot_id())

    thread = threading.Thread(target=work)
    thread.start()
    assert come.wait(30)
    try:
        yield
    finally:
        go_on.set()
        thread.join()


def listed(store: JobStore, filters: Filters, limit: int, after: str | None = None) -> list[str]:
    return [info.job_id for info in store.list(filters, limit, after).jobs]


def test_a_list_of_the_newest_is_given_before_the_others_are_known(store: JobStore, hours: list[str]) -> None:
    lately = Filters(since=datetime.fromtimestamp(time.time() - 4.5 * HOUR, UTC))
    with stopped(store, 3 * BATCH + 2):
        assert listed(store, Filters(), 3) == hours[:3]
        assert listed(store, lately, 100) == hours[:5]
        new = create(store)
        assert listed(store, Filters(statuses=(Status.ACCEPTED,)), 3) == [new, *hours[:2]]
        first = store.list(Filters(), 4)
        assert listed(store, Filters(), 4, first.next) == hours[3:7]


def test_no_list_is_given_that_some_are_missing_in(store: JobStore, hours: list[str]) -> None:
    unknown = [(Filters(), 100), (Filters(), 13), (Filters(statuses=(Status.FAILED,)), 1), (Filters(owner="ann"), 1)]
    with stopped(store, 2 * BATCH + 2):
        assert listed(store, Filters(), 2) == hours[:2]
        for filters, limit in unknown:
            with pytest.raises(StoreBusy, match="made anew"):
                store.list(filters, limit)
    assert [len(listed(store, filters, limit)) for filters, limit in unknown] == [20, 13, 0, 0]


def test_whoever_waits_is_given_the_list_when_it_can_be_given(
    store: JobStore, hours: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_PATIENCE", 30.0)
    found: list[list[str]] = []
    waiting = threading.Thread(target=lambda: found.append(listed(store, Filters(), 100)))
    with stopped(store, BATCH + 1):
        waiting.start()
        assert waiting.is_alive()
    waiting.join()
    assert found == [hours]


WORK = """
import sys
from pathlib import Path
from geomill.jobstore import JobStore
from geomill.jobstore.listing import repair_index
assert repair_index(JobStore(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def calls(root: Path) -> int:
    """Calls that reading costs, to make an index anew in a process of its own."""
    store, noted = open_store(root), root / "calls"
    shutil.rmtree(store.runtime)
    command = [sys.executable, "-c", WORK, str(store.home), str(store.runtime)]
    subprocess.run(["strace", "-f", "-c", "-o", str(noted), *command], check=True, timeout=120)
    lines = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", noted.read_text(), re.MULTILINE)
    return sum(int(number) for number, name in lines if name in COUNTED)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_job_costs_three_system_calls_to_be_found_again(tmp_path: Path) -> None:
    """Its status is opened, read and closed."""
    store, found = open_store(tmp_path), []
    for count in (50, 200):
        for _ in range(count):
            succeed(store, create(store, durable=False))
        found.append(calls(tmp_path))
    assert 3 <= (found[1] - found[0]) / 200 <= 3.5  # and a part of what the folders and the index cost
