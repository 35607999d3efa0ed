"""How often a process ran, and how long that took."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stores import begin, bring_to, create, open_store

from geomill.jobstore import Status
from geomill.jobstore.runs import MOST_COUNTED, SAMPLE, Runs, of_process


def test_successful_jobs_say_how_long_one_takes(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for status in (Status.SUCCESSFUL, Status.SUCCESSFUL, Status.FAILED, Status.ACCEPTED):
        bring_to(store, create(store), status)
    begin(store, create(store, process_id="buffer"))
    runs = of_process(store, "echo")
    assert (runs.count, len(runs.durations), runs.more) == (4, 2, False)
    assert runs.median is not None and 0 <= runs.median < 60 and runs.last is not None
    assert of_process(store, "buffer").median is None
    assert of_process(store, "never") == Runs()


def test_jobs_of_others_do_not_count(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for owner in ("ann", "ann", "bob"):
        create(store, owner=owner)
    assert (of_process(store, "echo", "ann").count, of_process(store, "echo", "").count) == (2, 0)


def test_the_newest_count(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    create(store)
    row = "INSERT INTO jobs VALUES (?, ?, 'echo', '', 'successful', ?, ?, ?, NULL, NULL)"
    connection = store.index._connection()
    for number in range(MOST_COUNTED + 5):
        took = 1.0 if number < MOST_COUNTED - 100 else 3.0
        connection.execute(row, (f"job-{number:05}", number, number, number + took, number))
    runs = of_process(store, "echo")
    assert runs.more and len(runs.durations) == SAMPLE and runs.median == pytest.approx(3.0)
