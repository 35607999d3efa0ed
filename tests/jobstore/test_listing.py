"""Lists: newest first, in pages that stay right, from an index that is only derived."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.forks import Child, race
from support.stores import begin, bring_to, create, new_job, open_store, succeed

from geomill.jobstore import Filters, JobStore, NoSuchJob, Status, StatusInfo, recalled
from geomill.jobstore.folders import LOCK
from geomill.jobstore.fsck import check
from geomill.jobstore.listing import repair_index, said_by_folders
from geomill.jobstore.records import now


def listed(store: JobStore, filters: Filters | None = None, limit: int = 100) -> list[str]:
    return [info.job_id for info in store.list(filters or Filters(), limit).jobs]


def test_an_empty_store_lists_nothing(store: JobStore) -> None:
    page = store.list(Filters(), 10)
    assert (page.jobs, page.next) == ([], None)


def test_jobs_are_listed_newest_first(store: JobStore) -> None:
    ids = [create(store, age=age) for age in (30, 10, 20)]
    assert listed(store) == [ids[1], ids[2], ids[0]]


def test_what_has_ended_is_read_once_and_again_when_it_changes(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, waiting = create(store), create(store)
    succeed(store, ended)

    def seen() -> dict[str, StatusInfo]:
        return {info.job_id: info for info in store.list(Filters(), 9).jobs}

    assert seen()[ended] is not seen()[ended]  # it is so young that its file may be replaced without a trace
    monkeypatch.setattr(recalled, "_YOUNG", 0)
    before = seen()
    assert seen()[ended] is before[ended] and seen()[waiting] is not before[waiting]
    store.pin(ended, True)
    assert seen()[ended].pinned
    (store.folder(ended) / "status.json").write_text("torn")
    assert [seen()[ended].cause for _ in range(2)] == ["corrupt"] * 2
    store.remove(ended)
    assert ended not in seen()


def test_pages_show_each_job_once(store: JobStore) -> None:
    made = now()
    ids = sorted((create(store, durable=False, created=made) for _ in range(7)), reverse=True)
    seen, after = [], None
    while True:
        page = store.list(Filters(), 3, after)
        seen.append([info.job_id for info in page.jobs])
        after = page.next
        if after is None:
            break
    assert seen == [ids[:3], ids[3:6], ids[6:]]


def test_pages_stay_right_while_jobs_arrive_and_go(store: JobStore) -> None:
    ids = [create(store, age=age) for age in range(100, 106)]
    first = store.list(Filters(), 2)
    create(store)
    bring_to(store, ids[1], Status.FAILED)
    store.remove(ids[1])
    second = store.list(Filters(), 2, first.next)
    third = store.list(Filters(), 2, second.next)
    assert [info.job_id for page in (first, second, third) for info in page.jobs] == ids
    assert third.next is None


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "!!!", "MS4wIA", "bm90IGEgbnVtYmVy", "é"])
def test_a_cursor_that_was_not_given_is_refused(store: JobStore, cursor: str) -> None:
    if cursor in ("", "MS4wIA"):  # nothing at all, and one that could have been given
        assert store.list(Filters(), 1, cursor).jobs == []
        return
    with pytest.raises(ValueError):
        store.list(Filters(), 1, cursor)


@pytest.fixture
def mixed(store: JobStore) -> dict[str, str]:
    """One job in each state, minutes old, with known times."""
    ids = {}
    for number, status in enumerate(Status):
        process_id = "echo" if number % 2 else "buffer"
        job_id = ids[status.value] = create(store, age=60 * (number + 1), process_id=process_id)
        started = now() - timedelta(seconds=10 * number)
        if status in (Status.RUNNING, Status.SUCCESSFUL, Status.FAILED):
            begin(store, job_id)
        if status.final:
            changes = {"started": started} if status is not Status.DISMISSED else {}
            store.move(job_id, status, **changes)
    return ids


@pytest.mark.parametrize(
    "filters, expected",
    [
        (Filters(), ["accepted", "running", "successful", "failed", "dismissed"]),
        (Filters(statuses=(Status.FAILED,)), ["failed"]),
        (Filters(statuses=(Status.DISMISSED, Status.ACCEPTED)), ["accepted", "dismissed"]),
        (Filters(statuses=(Status.FAILED, Status.FAILED)), ["failed"]),
        (Filters(process_ids=("buffer",)), ["accepted", "successful", "dismissed"]),
        (Filters(process_ids=("buffer", "echo"), statuses=(Status.FAILED, Status.ACCEPTED)), ["accepted", "failed"]),
        (Filters(process_ids=("none",)), []),
        (Filters(types=("process",)), ["accepted", "running", "successful", "failed", "dismissed"]),
        (Filters(types=("openeo",)), []),
        (Filters(min_duration=15), ["successful", "failed"]),
        (Filters(min_duration=25), ["failed"]),
        (Filters(max_duration=5), ["running"]),
        (Filters(min_duration=15, max_duration=25), ["successful"]),
    ],
)
def test_filters_choose(store: JobStore, mixed: dict[str, str], filters: Filters, expected: list[str]) -> None:
    lock = os.open(store.folder(mixed["running"]) / LOCK, os.O_RDONLY)
    os.set_inheritable(lock, False)
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_EX)
    assert listed(store, filters) == [mixed[name] for name in expected]
    os.close(lock)


def test_bounds_of_time_are_inclusive(store: JobStore) -> None:
    ids = [create(store, age=age) for age in (10, 20, 30)]
    middle = store.status(ids[1]).created
    assert listed(store, Filters(since=middle)) == ids[:2]
    assert listed(store, Filters(until=middle)) == ids[1:]
    assert listed(store, Filters(since=middle, until=middle)) == ids[1:2]
    assert listed(store, Filters(since=middle, until=middle - timedelta(seconds=1))) == []


def test_filters_hold_over_pages(store: JobStore) -> None:
    ids = [create(store, age=age, process_id=("a", "b")[age % 2]) for age in range(10)]
    filters = Filters(process_ids=("a",), statuses=(Status.ACCEPTED, Status.RUNNING))
    first = store.list(filters, 3)
    second = store.list(filters, 3, first.next)
    assert [info.job_id for info in (*first.jobs, *second.jobs)] == ids[::2]


def test_a_lost_job_is_listed_as_failed(store: JobStore) -> None:
    job_id = create(store)
    begin(store, job_id)
    assert [info.status for info in store.list(Filters(), 1).jobs] == [Status.FAILED]
    assert listed(store, Filters(statuses=(Status.RUNNING,))) == []
    assert listed(store, Filters(statuses=(Status.FAILED,))) == [job_id]


@pytest.mark.parametrize(
    "filters", [Filters(statuses=(Status.FAILED,)), Filters(cause="exit"), Filters(min_duration=60)]
)
def test_a_job_that_has_just_ended_is_found_by_that(store: JobStore, filters: Filters) -> None:
    job_id = create(store, age=100)
    begin(store, job_id)
    store.unindexed().move(job_id, Status.FAILED, cause="exit", started=now() - timedelta(seconds=90))
    assert listed(store, filters) == [job_id]


def test_who_asks_for_no_state_asks_of_no_job_but_those_on_the_page(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        begin(store, create(store, age=number))
    asked: list[str] = []
    status = JobStore.status

    def counted(self: JobStore, job_id: str) -> StatusInfo:
        asked.append(job_id)
        return status(self, job_id)

    monkeypatch.setattr(JobStore, "status", counted)
    assert listed(store, limit=5) == asked


# ---- the index is derived


def delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def tear(path: Path) -> None:
    delete(path)
    path.write_bytes(b"no database at all" * 1000)


def cut(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    os.truncate(path, 4096)  # the tables' names are there


def empty(path: Path) -> None:
    delete(path)
    path.touch()


def block(path: Path) -> None:
    delete(path)
    path.mkdir()


def reboot(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE boot SET boot_id = 'another'")
        connection.execute("DELETE FROM jobs")


def forget(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE jobs")


def age(path: Path) -> None:
    """As an earlier version made it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for trigger in ("begins", "ends", "had_begun", "had_ended"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for index in ("newest_of_state", "newest_of_process", "newest_of_owner"):
            connection.execute(f"DROP INDEX {index}")
        connection.execute("ALTER TABLE jobs DROP COLUMN cause")


HARM = [delete, tear, cut, empty, reboot, forget, age]


@pytest.mark.parametrize("again", [True, False], ids=["reopened", "held open"])
@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_a_harmed_index_is_repaired_from_the_folders(tmp_path: Path, harm, again: bool) -> None:  # type: ignore[no-untyped-def]
    store = open_store(tmp_path)
    ids = [create(store, age=age, durable=False) for age in range(30)]
    succeed(store, ids[3])
    assert listed(store) == ids
    harm(store.index.path)
    store = open_store(tmp_path) if again else store
    assert listed(store) == ids
    assert listed(store, Filters(statuses=(Status.SUCCESSFUL,))) == [ids[3]]
    assert check(store) == []


@pytest.mark.parametrize("harm", [*HARM, block], ids=lambda harm: harm.__name__)
def test_a_harmed_index_never_fails_a_job(tmp_path: Path, harm) -> None:  # type: ignore[no-untyped-def]
    store = open_store(tmp_path)
    create(store)
    store.list(Filters(), 1)
    harm(store.index.path)
    job_id = create(store)
    succeed(store, job_id)
    assert store.status(job_id).status is Status.SUCCESSFUL
    assert store.remove(job_id)


@pytest.mark.parametrize("statuses", [(), tuple(Status)])
def test_any_number_of_processes_can_be_asked_for(store: JobStore, statuses: tuple[Status, ...]) -> None:
    ids = [create(store, age=age, process_id=f"p{age}") for age in range(4)]
    wanted = tuple(f"p{number}" for number in range(1, 3000))
    assert listed(store, Filters(process_ids=wanted, statuses=statuses)) == ids[1:]
    assert listed(store, Filters(process_ids=wanted, statuses=statuses), limit=2) == ids[1:3]


def test_an_index_that_could_not_be_written_is_repaired_with_the_next_list(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.list(Filters(), 1)
    block(store.index.path)
    job_id = create(store)
    store.index.path.rmdir()
    assert listed(store) == [job_id]


def test_a_thread_keeps_few_indexes_open_whatever_number_of_tenants_it_serves(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    stores = [open_store(tmp_path).of(f"tenant-{number}") for number in range(20)]
    for store in stores:
        store.jobs.mkdir(parents=True)
    for store in (*stores, *stores):
        assert listed(store) == []
    assert len(os.listdir("/proc/self/fd")) - before <= 12  # of a file, its log, and memory that they share


def test_an_index_that_another_process_holds_costs_a_moment_and_no_job(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ids = [create(store, age=5)]
    store.list(Filters(), 1)
    connection = sqlite3.connect(store.index.path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    ids.insert(0, create(store))
    succeed(store, ids[0])
    assert time.monotonic() - began < 3
    connection.execute("ROLLBACK")
    connection.close()
    assert listed(store) == ids
    assert listed(store, Filters(statuses=(Status.SUCCESSFUL,))) == [ids[0]]


def test_a_job_whose_creator_was_killed_before_the_index_is_found_by_its_repair(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.list(Filters(), 1)
    job_id = create(store)
    store.index.delete(job_id)
    (finding,) = check(store)
    assert str(finding) == f"job {job_id} (default): it is accepted, and not there in the index"
    store.index.rebuild(said_by_folders(store), "another")
    assert listed(store) == [job_id]
    assert check(store) == []


def test_repair_forgets_what_is_gone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    kept, gone = create(store), create(store)
    bring_to(store, gone, Status.FAILED)
    info = store.status(gone)
    store.remove(gone)
    store.index.put(info)
    store.index.rebuild(said_by_folders(store), "another")
    assert [job_id for _, job_id in store.index.page(Filters(), 10, None, 0)] == [kept]


def test_a_list_leaves_out_what_is_gone(store: JobStore) -> None:
    kept, gone = create(store), create(store)
    bring_to(store, gone, Status.FAILED)
    info = store.status(gone)
    store.remove(gone)
    store.index.put(info)
    assert listed(store) == [kept]
    assert listed(store) == [kept]


def test_repair_overwrites_nothing_newer(store: JobStore) -> None:
    job_id = create(store)
    old = store.status(job_id)
    succeed(store, job_id)
    store.index.put(old)
    assert listed(store, Filters(statuses=(Status.SUCCESSFUL,))) == [job_id]


def test_many_may_repair_and_write_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ids = {create(store, durable=False) for _ in range(50)}
    delete(store.index.path)

    def work(number: int) -> list[str]:
        mine = open_store(tmp_path)
        made = [create(mine, durable=False) for _ in range(10)] if number % 2 else []
        return made + listed(mine, limit=1000)

    seen = race(*[lambda number=number: work(number) for number in range(4)])  # type: ignore[misc]
    assert all(ids <= set(each) for each in seen)
    everything = set(store.walk())
    assert set(listed(store, limit=1000)) == everything
    assert len(everything) == 70


def test_a_repair_that_was_killed_is_done_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ids = [create(store, age=age, durable=False) for age in range(200)]
    for milliseconds in (1, 3, 6, 10):
        delete(store.index.path)
        child = Child(lambda: repair_index(open_store(tmp_path)))
        child.go()
        time.sleep(milliseconds / 1000)  # not a wait: the moment of the kill is what varies
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        assert listed(store, limit=1000) == ids


def test_a_list_goes_on_when_a_job_vanishes_while_it_is_read(store: JobStore) -> None:
    ids = [create(store, age=age) for age in range(3)]
    listed(store)
    os.rename(store.folder(ids[1]), store.folder(ids[1]).with_name(".old-x"))
    assert listed(store) == [ids[0], ids[2]]
    with pytest.raises(NoSuchJob):
        store.status(ids[1])


def test_what_is_no_job_in_the_folders_is_passed_over(store: JobStore) -> None:
    job = new_job()
    store.create(job, b"{}")
    (store.jobs / "file").touch()
    (store.jobs / "0000000").mkdir()
    (store.jobs / "0000000" / "no-job").mkdir()
    delete(store.index.path)
    assert listed(store) == [job.job_id]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"job_id": 1}', b'{"status": "lost"}', b"\xff"])
def test_a_job_that_is_torn_stays_in_the_list(store: JobStore, content: bytes) -> None:
    ids = [create(store, age=age) for age in range(3)]
    listed(store)
    path = store.folder(ids[1]) / "status.json"
    path.unlink()
    path.write_bytes(content)
    assert listed(store) == ids
    delete(store.index.path)
    assert listed(store) == ids
