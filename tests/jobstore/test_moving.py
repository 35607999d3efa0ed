"""Only the store changes a status, through the table of moves; what is promised is on disk."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.forks import crash_at, race
from support.leaks import children
from support.stores import begin, bring_to, create, new_job, open_store, succeed
from support.waiting import until

from geomill.app.engine.isolation import namespaces_allowed
from geomill.jobstore import (
    Filters,
    InvalidTransition,
    JobFailed,
    JobStore,
    NoSuchJob,
    Result,
    ResultNotAvailable,
    ResultNotReady,
    Status,
    StatusChanged,
    alive,
)
from geomill.jobstore.alive import boot_id, is_ending, stat
from geomill.jobstore.folders import LOCK, begin_anew
from geomill.jobstore.fsck import check
from geomill.jobstore.lost import is_lost
from geomill.jobstore.records import load_status, new_job_id
from geomill.jobstore.status import MOVES

ALLOWED = {
    ("accepted", "running"), ("accepted", "dismissed"), ("accepted", "failed"),
    ("running", "successful"), ("running", "failed"), ("running", "dismissed"),
}  # fmt: skip


@pytest.mark.parametrize("to", list(Status))
@pytest.mark.parametrize("status", list(Status))
def test_a_job_moves_along_the_table_and_nowhere_else(store: JobStore, status: Status, to: Status) -> None:
    job_id = create(store)
    bring_to(store, job_id, status)
    before = store.read_status(job_id)
    if (status.value, to.value) in ALLOWED:
        assert store.move(job_id, to).status is to
        assert store.read_status(job_id).status is to
    else:
        with pytest.raises(InvalidTransition) as refused:
            store.move(job_id, to)
        assert refused.value.current == before == store.read_status(job_id)


def test_final_states_are_those_without_a_move() -> None:
    assert {status.value for status in Status if status.final} == {"successful", "failed", "dismissed"}
    assert set(MOVES) == set(Status)


@pytest.mark.parametrize("winner", [Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED])
def test_only_a_final_move_says_when_the_job_finished(store: JobStore, winner: Status) -> None:
    job_id = create(store)
    assert begin(store, job_id).finished is None
    info = store.move(job_id, winner)
    assert info.started and info.finished and info.started <= info.finished


def test_of_two_moves_at_once_one_wins_and_the_other_learns_of_it(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for _ in range(10):
        job_id = create(store)
        begin(store, job_id)
        runs = [lambda to=to, job_id=job_id: open_store(tmp_path).move(job_id, to).status  # type: ignore[misc]
                for to in (Status.SUCCESSFUL, Status.FAILED)]  # fmt: skip
        answers = race(*runs)
        assert answers.count("InvalidTransition") == 1
        (winner,) = (each for each in answers if each != "InvalidTransition")
        assert store.read_status(job_id).status is winner


def test_a_job_that_ends_after_its_dismissal_was_asked_is_dismissed(store: JobStore) -> None:
    job_id = create(store)
    begin(store, job_id)
    assert store.ask_dismissal(job_id).message == "being dismissed"
    info = store.move(job_id, Status.SUCCESSFUL, progress=100, message="done")
    assert (info.status, info.message, info.progress, info.cause) == (Status.DISMISSED, "dismissed", None, None)


def test_finish_and_dismissal_at_once_agree(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for _ in range(10):
        job_id = create(store)
        begin(store, job_id)
        finish, ask = race(
            lambda job_id=job_id: open_store(tmp_path).move(job_id, Status.SUCCESSFUL),  # type: ignore[misc]
            lambda job_id=job_id: open_store(tmp_path).ask_dismissal(job_id),  # type: ignore[misc]
        )
        assert finish == store.read_status(job_id)
        assert ask.status is (Status.RUNNING if finish.status is Status.DISMISSED else Status.SUCCESSFUL)


def test_asking_twice_for_a_dismissal_changes_nothing_more(store: JobStore) -> None:
    job_id = create(store)
    begin(store, job_id)
    assert store.ask_dismissal(job_id) == store.ask_dismissal(job_id)


def test_a_waiting_job_is_dismissed_at_once(store: JobStore) -> None:
    job_id = create(store)
    assert store.ask_dismissal(job_id).status is Status.DISMISSED
    assert store.status(job_id).finished is not None


def test_a_finished_job_is_not_dismissed(store: JobStore) -> None:
    job_id = create(store)
    info = succeed(store, job_id)
    assert store.ask_dismissal(job_id) == info


def test_a_job_is_dismissed_only_in_the_state_that_was_named(store: JobStore) -> None:
    job_id = create(store)
    before = store.status(job_id).etag
    begin(store, job_id)
    with pytest.raises(StatusChanged):
        store.ask_dismissal(job_id, match=before)
    assert not store.read_status(job_id).dismissing
    assert store.ask_dismissal(job_id, match=store.read_status(job_id).etag).dismissing


def test_every_change_of_a_status_changes_its_etag(store: JobStore) -> None:
    job_id = create(store)
    etags = [store.status(job_id).etag, begin(store, job_id).etag]
    store.report(job_id, 10, "a tenth")
    etags += [store.read_status(job_id).etag, store.move(job_id, Status.FAILED).etag]
    assert len(set(etags)) == len(etags)
    assert store.status(job_id).etag == etags[-1]


def test_progress_of_a_job_that_is_over_is_not_noted(store: JobStore) -> None:
    job_id = create(store)
    info = succeed(store, job_id)
    store.report(job_id, 50, "half")
    assert store.status(job_id) == info


def test_a_new_move_keeps_nothing_that_it_does_not_name_of_finishing(store: JobStore) -> None:
    job_id = create(store)
    begin(store, job_id)
    store.report(job_id, 40, "reading")
    info = store.move(job_id, Status.FAILED, cause="exception", message="it broke")
    assert (info.progress, info.message, info.cause) == (40, "it broke", "exception")


# ---- durability


def test_acceptance_takes_three_syncs(store: JobStore, syncs: Any) -> None:
    with syncs.counted() as paths:
        create(store, durable=True)
    assert len(paths) <= 3


def test_acceptance_of_a_job_that_is_waited_for_takes_none(store: JobStore, syncs: Any) -> None:
    with syncs.counted() as paths:
        create(store, durable=False)
    assert paths == []


def test_running_and_progress_are_never_synced(store: JobStore, syncs: Any) -> None:
    job_id = create(store)
    with syncs.counted() as paths:
        begin(store, job_id)
        store.report(job_id, 50, "half")
        store.ask_dismissal(job_id)
    assert paths == []


@pytest.mark.parametrize("durable, most", [(True, 2), (False, 0)])
@pytest.mark.parametrize("to", [Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED])
def test_an_end_is_synced_when_it_was_promised(
    store: JobStore, syncs: Any, to: Status, durable: bool, most: int
) -> None:
    job_id = create(store, durable=durable)
    begin(store, job_id)
    with syncs.counted() as paths:
        store.move(job_id, to)
    assert bool(paths) is durable
    assert len(paths) <= most


def test_a_job_can_be_promised_later(store: JobStore, syncs: Any) -> None:
    job_id = create(store, durable=False)
    succeed(store, job_id)
    with syncs.counted() as paths:
        assert store.make_durable(job_id).durable
    assert {"job.json", "request.json", "results.json", job_id, job_id[:7]} <= set(paths)
    assert store.status(job_id).durable


# ---- liveness


def test_a_running_job_whose_lock_is_held_is_not_lost(store: JobStore) -> None:
    job_id = create(store)
    info = begin(store, job_id)
    lock = os.open(store.folder(job_id) / LOCK, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert not is_lost(store, info)
    assert store.status(job_id).status is Status.RUNNING
    os.close(lock)
    assert is_lost(store, info)


def test_a_process_that_does_not_hold_the_lock_is_no_supervisor(store: JobStore) -> None:
    job_id = create(store)
    with subprocess.Popen(["sleep", "60"]) as other:  # the supervisor of this job in the home that this is a copy of
        info = store.move(job_id, Status.RUNNING, **named(other.pid))
        assert is_lost(store, info)
        assert store.status(job_id).status is Status.FAILED
        other.kill()


@pytest.mark.skipif(not namespaces_allowed(), reason="this host allows no PID namespaces")
def test_a_supervisor_that_was_killed_is_not_gone_until_the_kernel_has_ended_what_it_left(store: JobStore) -> None:
    job_id = create(store)
    with subprocess.Popen(["unshare", "--user", "--map-root-user", "--pid", "--fork", "sleep", "60"]) as outside:
        supervisor = until(lambda: next(iter(children(outside.pid)), None))  # the first of its PID namespace
        until(lambda: Path(f"/proc/{supervisor}/comm").read_text() == "sleep\n")
        info = store.move(job_id, Status.RUNNING, **named(supervisor))
        joined = ["nsenter", "-t", str(supervisor), "--user", "--preserve-credentials", "--pid", "sleep", "60"]
        with subprocess.Popen(joined) as parent:
            until(lambda: children(parent.pid))
            parent.send_signal(signal.SIGSTOP)
            until(lambda: (stat(parent.pid) or "?")[0] == "T")  # and so collects nobody
            os.kill(supervisor, signal.SIGKILL)
            try:
                until(lambda: is_ending(supervisor, info.start_time))
                assert not is_lost(store, info)
                assert store.status(job_id).status is Status.RUNNING
            finally:
                parent.send_signal(signal.SIGCONT)
    assert is_lost(store, info)
    assert store.status(job_id).status is Status.FAILED


def named(pid: int) -> dict[str, Any]:
    """What a status says of its supervisor."""
    return {"pid": pid, "start_time": alive.start_time(pid), "boot_id": boot_id()}


def test_whoever_is_killed_while_he_fails_a_lost_job_leaves_that_to_the_next(tmp_path: Path) -> None:
    for call in count(1):
        store = open_store(tmp_path / str(call))
        job_id = create(store)
        begin(store, job_id)
        (store.folder(job_id) / "work" / "x").mkdir(parents=True)
        crashed = crash_at(call, ("rmdir", "unlink", "replace", "rename"), partial(store.status, job_id))
        assert store.status(job_id).status is Status.FAILED
        assert check(store) == []
        if not crashed:
            break
    assert call > 4


def test_a_running_job_whose_lock_is_free_is_failed_by_whoever_looks(store: JobStore) -> None:
    job_id = create(store)
    begin(store, job_id)
    (store.folder(job_id) / "work" / "x").mkdir(parents=True)
    info = store.status(job_id)
    assert (info.status, info.cause) == (Status.FAILED, "lost")
    assert store.read_status(job_id) == info
    assert not (store.folder(job_id) / "work").exists()


def test_a_job_of_an_earlier_boot_was_lost_with_it(store: JobStore) -> None:
    job_id = create(store)
    store.move(job_id, Status.RUNNING, pid=1, start_time=1, boot_id="another")
    info = store.status(job_id)
    assert (info.status, info.cause) == (Status.FAILED, "rebooted")


def test_two_who_find_a_job_lost_say_the_same(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    job_id = create(store)
    begin(store, job_id)
    first, second = race(*[lambda: open_store(tmp_path).status(job_id)] * 2)
    assert first == second == store.status(job_id)


# ---- results


def test_results_come_with_success(store: JobStore) -> None:
    job_id = create(store)
    results = {
        "number": Result(3),
        "nothing": Result(None, media_type="text/plain"),
        "file": Result(file="a.tif", media_type="image/tiff", size=3),
        "many": Result(items=(Result("a"), Result(file="b", size=1))),
    }
    succeed(store, job_id, results)
    assert store.results(job_id) == results


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.RUNNING])
def test_results_that_may_still_come_are_not_ready(store: JobStore, status: Status) -> None:
    job_id = create(store)
    bring_to(store, job_id, status)
    lock = os.open(store.folder(job_id) / LOCK, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(ResultNotReady):
        store.results(job_id)
    os.close(lock)


def test_a_dismissed_job_never_has_results(store: JobStore) -> None:
    job_id = create(store)
    store.ask_dismissal(job_id)
    with pytest.raises(ResultNotAvailable):
        store.results(job_id)


def test_results_of_a_failed_job_say_why_it_failed(store: JobStore) -> None:
    job_id = create(store)
    bring_to(store, job_id, Status.FAILED)
    with pytest.raises(JobFailed, match="it broke") as failed:
        store.results(job_id)
    assert failed.value.status_info == store.status(job_id)


def test_a_job_that_was_never_made_has_nothing(store: JobStore) -> None:
    with pytest.raises(NoSuchJob):
        store.results(new_job_id())


# ---- records


def test_ids_are_uuids_of_version_7_in_the_order_of_time() -> None:
    ids = [new_job_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    assert {job_id[14] for job_id in ids} == {"7"}
    assert {job_id[19] for job_id in ids} == set("89ab")
    assert [job_id[:13] for job_id in ids] == sorted(job_id[:13] for job_id in ids)


def test_a_status_of_a_later_version_can_be_read(store: JobStore) -> None:
    job_id = create(store)
    known = load_status({"job_id": job_id, "process_id": "p", "owner": "", "created": "2026-01-02T03:04:05.678Z",
                         "status": "running", "color": "red"})  # fmt: skip
    assert (known.status, known.created.microsecond, known.created.tzinfo is not None) == (Status.RUNNING, 678000, True)


def test_a_job_file_stays_below_four_kilobytes(store: JobStore) -> None:
    job = new_job(process_id="p" * 100, path="/home/somebody/" + "p" * 200, prefer="respond-async, return=minimal")
    store.create(job, b"{}")
    assert (store.folder(job.job_id) / "job.json").stat().st_size <= 4096


# ---- time


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_was_set_while_a_job_ran_confuses_nobody(store: JobStore, hours: int) -> None:
    job_id = create(store, age=hours * 3600)  # as if the clock had jumped when the job was accepted
    later = create(store)
    begin(store, job_id)
    store.report(job_id, 50, "half")
    info = succeed(store, job_id, begun=True)
    assert info.started and info.updated and info.finished
    assert info.created <= info.started <= info.updated <= info.finished
    assert [each.job_id for each in store.list(Filters(statuses=(Status.SUCCESSFUL,)), 10).jobs] == [job_id]
    assert store.list(Filters(statuses=(Status.RUNNING,)), 10).jobs == []
    first = store.list(Filters(), 1)
    assert {first.jobs[0].job_id, store.list(Filters(), 1, first.next).jobs[0].job_id} == {job_id, later}
    assert check(store) == []


def test_a_clock_that_was_set_back_keeps_no_waiting_job_from_being_dismissed(store: JobStore) -> None:
    job_id = create(store, age=-3600)
    info = store.ask_dismissal(job_id)
    assert info.finished and info.created <= info.finished
    assert store.list(Filters(statuses=(Status.ACCEPTED,)), 10).jobs == []
    assert check(store) == []


def test_who_begins_a_job_leaves_the_status_that_somebody_writes_this_moment(store: JobStore) -> None:
    """A dismissal of a job that begins replaces its status while its supervisor makes room."""
    job_id = create(store)
    begin(store, job_id)
    written, left = (store.folder(job_id) / name for name in (".status.json.4711-0123abcd", "log"))
    written.write_text("{}")
    left.write_text("of an earlier begin")
    begin_anew(store.folder(job_id))
    assert written.exists() and not left.exists()
