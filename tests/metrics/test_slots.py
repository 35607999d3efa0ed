"""Counts of workers: none is lost, none is doubled, and nothing fails for want of a place to count in."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from geomill.app.metrics.slots import CELL, FOLDER, Slots

SIZE = 4096


def slots(runtime: Path, layout: str = "one") -> Slots:
    return Slots(runtime, layout, SIZE, (7, 0))


@contextmanager
def worker(runtime: Path) -> Iterator[int]:
    """A process that has counted 5 in cell 2, says that one of its places is taken, and lives; it is killed."""
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        own = slots(runtime)
        own.add((2, 2), (3, 1))
        own.add((2, 3))
        own.set(1, 1)
        os.write(done, b"x")
        signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(done)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def files(runtime: Path) -> list[str]:
    return sorted(path.name for path in (runtime / FOLDER).iterdir())


def test_a_killed_worker_leaves_its_counts_to_the_next(tmp_path: Path) -> None:
    for number in range(1, 4):
        with worker(tmp_path):
            assert list(slots(tmp_path).total()[:4]) == [7, 1, 5 * number, number]
        assert list(slots(tmp_path).total()[:4]) == [0, 0, 5 * number, number]
    assert files(tmp_path) == ["one.0"]


def test_workers_that_live_have_a_slot_each(tmp_path: Path) -> None:
    with worker(tmp_path), worker(tmp_path), worker(tmp_path):
        assert list(slots(tmp_path).total()[:4]) == [21, 3, 15, 3]
    with worker(tmp_path):
        assert list(slots(tmp_path).total()[:4]) == [7, 1, 20, 4]
    assert files(tmp_path) == ["one.0", "one.1", "one.2"]


def test_threads_count_together(tmp_path: Path) -> None:
    ours = slots(tmp_path)
    threads = [Thread(target=lambda: [ours.add((2, 1), (SIZE - 1, 2)) for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (ours.total()[2], ours.total()[SIZE - 1]) == (20000, 40000)


def test_counts_of_another_layout_go_when_nobody_holds_them(tmp_path: Path) -> None:
    with worker(tmp_path):
        slots(tmp_path, "two").add((2, 1))
        assert files(tmp_path) == ["one.0", "two.0"]
    other = slots(tmp_path, "three")
    other.add((2, 1))
    assert files(tmp_path) == ["three.0"]
    assert other.total()[2] == 1


@pytest.fixture
def _no_room() -> Iterator[None]:
    """As on a disk without room: a file cannot be as long as a slot is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CELL * SIZE - 1, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_no_room")
def test_what_has_no_room_is_not_counted_and_fails_nothing(tmp_path: Path) -> None:
    ours = slots(tmp_path)
    ours.add((2, 1))
    ours.set(1, 1)
    assert sum(ours.total()) == 0


def test_what_has_no_folder_is_not_counted_and_fails_nothing(tmp_path: Path) -> None:
    ours = slots(tmp_path / "none")
    ours.add((2, 1))
    assert sum(ours.total()) == 0
    (tmp_path / "none").mkdir()
    ours._due = 0
    ours.add((2, 1))
    assert ours.total()[2] == 1
