"""DELETE answers 200 only when no process of the job exists, whatever it forked, left or ignored."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from support import leaks
from support.at_work import at_work
from support.mills import Mill, take
from support.stores import create
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.app.engine.client import Engine, open_store
from geomill.jobstore import Status
from geomill.jobstore.folders import LOCK

JOBS, THOROUGH = 12, 100


def supervisor(mill: Mill, job_id: str) -> int:
    pid = mill.store.read_status(job_id).pid
    assert pid
    return pid


@contextmanager
def moves_of(mill: Mill, job_id: str) -> Iterator[None]:
    """Hold the lock that a job is moved under."""
    lock = take(mill.settings.runtime_dir / "locks" / job_id[-2:], fcntl.LOCK_EX)
    yield
    os.close(lock)


def test_nothing_is_left_of_hostile_jobs(mill: Mill, pytestconfig: pytest.Config) -> None:
    jobs = THOROUGH if pytestconfig.getoption("--thorough") else JOBS

    def dismiss_one(_: int) -> tuple[int, str, list[int]]:
        job_id = mill.submit("hostile")
        mill.message(job_id, "ready")
        assert len(at_work(job_id)) > 4
        reply = mill.call("DELETE", f"/jobs/{job_id}")
        return reply.status, reply.json()["status"], at_work(job_id)

    with ThreadPoolExecutor(4) as pool:
        assert set(map(str, pool.map(dismiss_one, range(jobs)))) == {str((200, "dismissed", []))}


def test_a_job_that_obeys_is_not_made_to_wait(mill: Mill) -> None:
    job_id = mill.submit("hold")
    mill.message(job_id, "holding")
    begin = time.monotonic()
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
    assert time.monotonic() - begin < 2
    assert mill.status(job_id)["status"] == "dismissed"


def test_nothing_is_left_of_a_job_that_is_done(mill: Mill) -> None:
    job_id = mill.submit("leave-something")
    assert mill.ended(job_id).status is Status.SUCCESSFUL
    until(lambda: not at_work(job_id))
    assert not (mill.store.folder(job_id) / "work").exists()


def test_a_dismissal_waits_for_a_supervisor_that_was_about_to_begin(settings: Settings) -> None:
    store = open_store(settings)
    job_id = create(store)
    lock = take(store.folder(job_id) / LOCK, fcntl.LOCK_EX)  # as a supervisor does first
    with ThreadPoolExecutor(1) as pool:
        dismissed = pool.submit(Engine(settings, store).dismiss, job_id)
        until(lambda: store.read_status(job_id).status is Status.DISMISSED)
        assert not holds(dismissed.done, 0.5)
        os.close(lock)
        assert dismissed.result(10).status is Status.DISMISSED


def test_a_supervisor_that_cannot_act_is_ended_by_force(mill: Mill) -> None:
    job_id = mill.submit("hostile")
    mill.message(job_id, "ready")
    with moves_of(mill, job_id):  # the supervisor has said so, and has nothing more to write
        os.kill(supervisor(mill, job_id), signal.SIGSTOP)
    reply = mill.call("DELETE", f"/jobs/{job_id}")
    # the one who ends it by force may be faster than the answer
    assert (reply.status, reply.json()["status"]) in {(202, "running"), (200, "dismissed")}
    assert mill.ended(job_id).status is Status.DISMISSED
    until(lambda: not at_work(job_id))


def test_a_dismissal_that_somebody_holds_up_is_refused_and_nothing_runs_on(mill: Mill) -> None:
    job_id = mill.submit("hostile")
    mill.message(job_id, "ready")
    with moves_of(mill, job_id):
        reply = mill.call("DELETE", f"/jobs/{job_id}")
        assert (reply.status, reply.headers["Retry-After"], at_work(job_id)) == (503, "1", [])
    assert mill.ended(job_id).status in (Status.DISMISSED, Status.FAILED)


def test_a_job_that_lost_its_supervisor_is_dismissed_with_all_it_left(mill: Mill) -> None:
    job_id = mill.submit("hostile")
    mill.message(job_id, "ready")
    leaks.kill(supervisor(mill, job_id))
    reply = mill.call("DELETE", f"/jobs/{job_id}")
    assert (reply.status, at_work(job_id)) == (200, [])
    assert reply.json()["status"] == "dismissed"


@pytest.mark.parametrize("again", [False, True])
def test_a_job_that_waits_is_dismissed_before_it_begins(mill: Mill, again: bool) -> None:
    holding = [mill.submit("hold") for _ in range(8)]
    job_id = mill.submit("nap")
    mill.waits(job_id, 1)
    etag = mill.call("GET", f"/jobs/{job_id}").headers["ETag"]  # its place is no part of its state
    assert mill.call("DELETE", f"/jobs/{job_id}", If_Match=etag).json()["status"] == "dismissed"
    if again:  # and then it is removed
        assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
        assert mill.call("GET", f"/jobs/{job_id}").status == 404
    else:
        assert mill.ended(job_id).started is None
    for job_id in holding:
        assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
