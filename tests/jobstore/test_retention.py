"""Finished jobs expire: what goes, what stays, and in which order, whatever is killed in between."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.stores import bring_to, create, open_store, succeed

from geomill.jobstore import Filters, JobCorrupt, JobExpired, JobStore, NoSuchJob, Status, files, retention
from geomill.jobstore.fsck import check
from geomill.jobstore.records import dump, now
from geomill.jobstore.retention import Rules, carry_out, clock, due
from geomill.jobstore.status import AGE, DISK

DAY = 86400.0
RULES = Rules(keep=30 * DAY, keep_disk=0, keep_status=365 * DAY)


def finished(store: JobStore, *, age: float, content: int = 0, key: str | None = None) -> str:
    """A job that ended so many seconds ago, with a file of so many bytes."""
    job_id = create(store, key=key)
    succeed(store, job_id)
    folder = store.folder(job_id)
    for name in ("outputs", "logs", "kept"):
        (folder / name).mkdir()
        (folder / name / "file").write_bytes(b"x" * content)
    (folder / "log").write_text("said")
    info = replace(store.read_status(job_id), finished=now() - timedelta(seconds=age))
    files.write_json(folder / "status.json", dump(info), durable=False)
    store.index.put(info)
    return job_id


def expire_due(store: JobStore, rules: Rules = RULES, moment: float | None = None) -> list[tuple[str, str]]:
    found = due([store], rules, time.time() if moment is None else moment)
    return [(each.job_id, each.why) for each in found if carry_out(each)]


def left(store: JobStore, job_id: str) -> list[str]:
    return sorted(os.listdir(store.folder(job_id)))


def test_a_job_that_ended_longer_ago_than_jobs_are_kept_expires(store: JobStore) -> None:
    old, young = finished(store, age=31 * DAY), finished(store, age=29 * DAY)
    assert expire_due(store) == [(old, AGE)]
    assert left(store, old) == ["job.json", "status.json"]
    assert "results.json" in left(store, young)
    info = store.status(old)
    assert (info.status, info.expired_for) == (Status.SUCCESSFUL, AGE) and info.expired


def test_a_job_expires_once(store: JobStore) -> None:
    finished(store, age=31 * DAY)
    assert len(expire_due(store)) == 1
    assert expire_due(store) == []


@pytest.mark.parametrize("read", ["results", "request", "log"])
def test_what_an_expired_job_had_is_gone_for_good(store: JobStore, read: str) -> None:
    job_id = finished(store, age=31 * DAY)
    expire_due(store)
    with pytest.raises(JobExpired, match="expired on"):
        getattr(store, read)(job_id)


def test_an_expired_job_stays_in_the_list(store: JobStore) -> None:
    job_id = finished(store, age=31 * DAY)
    expire_due(store)
    assert [info.job_id for info in store.list(Filters(), 10).jobs] == [job_id]


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.RUNNING])
def test_a_job_that_has_not_ended_does_not_expire(store: JobStore, status: Status) -> None:
    job_id = create(store, age=400 * DAY)
    bring_to(store, job_id, status)
    assert store.expire(job_id, AGE).expired is None
    assert expire_due(store) == [] and "request.json" in left(store, job_id)


def test_a_pinned_job_stays_until_it_is_unpinned(store: JobStore) -> None:
    job_id = finished(store, age=31 * DAY)
    store.pin(job_id, True)
    assert expire_due(store) == [] and "results.json" in left(store, job_id)
    store.pin(job_id, False)
    assert expire_due(store) == [(job_id, AGE)]


def test_a_pin_outlives_the_rest_of_the_run(store: JobStore) -> None:
    job_id = create(store)
    store.pin(job_id, True)
    assert succeed(store, job_id).pinned


def test_a_pin_comes_too_late_for_what_has_expired(store: JobStore) -> None:
    job_id = finished(store, age=31 * DAY)
    expire_due(store)
    with pytest.raises(JobExpired):
        store.pin(job_id, True)


def test_a_torn_job_waits_for_somebody_to_look(store: JobStore) -> None:
    job_id = finished(store, age=31 * DAY)
    (store.folder(job_id) / "status.json").write_text("{")
    assert expire_due(store) == [] and "results.json" in left(store, job_id)
    store.pin(job_id, True)
    assert (store.folder(job_id) / "status.json").read_text() == "{"


def test_a_job_whose_supervisor_has_not_left_stays(store: JobStore) -> None:
    job_id = finished(store, age=31 * DAY)
    with subprocess.Popen(["flock", str(store.folder(job_id) / "job.json"), "cat"], stdin=subprocess.PIPE) as holder:
        while not store.has_supervisor(job_id):
            time.sleep(0.01)
        assert expire_due(store) == []
        holder.communicate(b"")
    assert expire_due(store) == [(job_id, AGE)]


def test_the_status_says_so_on_disk_before_anything_is_removed(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = finished(store, age=31 * DAY)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))

    def dies(path: object, **_: object) -> None:
        assert len(synced) == 2 and "status.json" in synced[0] and store.read_status(job_id).expired
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "unlink", dies)
    with pytest.raises(KeyboardInterrupt):
        store.expire(job_id, AGE)
    monkeypatch.undo()
    assert "results.json" in left(store, job_id)
    with pytest.raises(JobExpired):
        store.results(job_id)


@pytest.mark.parametrize("rebuilt", [False, True])
def test_what_a_crash_left_of_an_expired_job_goes_the_next_time(store: JobStore, rebuilt: bool) -> None:
    job_id = finished(store, age=31 * DAY)
    said = replace(store.read_status(job_id), expired=now(), expired_for=AGE)
    files.write_json(store.folder(job_id) / "status.json", dump(said), durable=True)
    if rebuilt:
        store.index.doubt()
    assert expire_due(store) == [(job_id, AGE)]
    assert left(store, job_id) == ["job.json", "status.json"]
    assert store.read_status(job_id).expired == said.expired


def test_the_status_goes_too_in_the_end(store: JobStore) -> None:
    job_id = finished(store, age=31 * DAY, key="mine")
    expire_due(store)
    assert expire_due(store, moment=time.time() + 364 * DAY) == []
    assert expire_due(store, moment=time.time() + 366 * DAY) == [(job_id, retention.STATUS)]
    with pytest.raises(NoSuchJob):
        store.status(job_id)
    assert not list((store.home / "default/keys").iterdir())


def test_a_key_leads_to_its_job_after_that_expired(store: JobStore) -> None:
    job_id = finished(store, age=31 * DAY, key="mine")
    expire_due(store)
    assert create(store, key="mine") == job_id


def test_nothing_expires_where_that_is_turned_off(store: JobStore) -> None:
    finished(store, age=4000 * DAY)
    assert expire_due(store, Rules(0, 0, 0)) == []


def test_an_index_of_an_earlier_version_is_made_anew(store: JobStore) -> None:
    job_id = finished(store, age=31 * DAY)
    with open(store.index.path.resolve(), "rb"):
        store.index._write("DROP INDEX by_end", [()])
        store.index._write("ALTER TABLE jobs DROP COLUMN expired", [()])
    assert [found for found, _ in expire_due(store) or expire_due(store)] == [job_id]


# ---- the clock


def noted(home: Path, *, behind: float, ran: float) -> None:
    """Retention has come to a time so many seconds ago, when it ran so many seconds ago."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    mark = {"time": time.time() - behind, "ran": time.clock_gettime(time.CLOCK_BOOTTIME) - ran, "boot": boot}
    files.write_json(home / retention.MARK, mark, durable=False)


def test_time_goes_on_as_it_does(store: JobStore) -> None:
    noted(store.home, behind=3600, ran=3600)
    assert clock(store.home, 0, note=True) == pytest.approx(time.time(), abs=1)


def test_a_clock_that_was_set_forward_is_followed_a_day_in_an_hour(store: JobStore) -> None:
    noted(store.home, behind=365 * DAY, ran=3600)
    assert clock(store.home, 0, note=True) == pytest.approx(time.time() - 364 * DAY, abs=60)
    assert clock(store.home, 0, note=True) == pytest.approx(time.time() - 364 * DAY, abs=60)  # no time has passed


def test_a_clock_that_was_set_back_is_followed_at_once(store: JobStore) -> None:
    noted(store.home, behind=-365 * DAY, ran=3600)
    assert clock(store.home, 0, note=True) == pytest.approx(time.time(), abs=1)


@pytest.mark.parametrize("mark", [None, "", "{}", "[]", '{"time": "x", "ran": 1, "boot": ""}'])
def test_time_begins_where_it_is_told(store: JobStore, mark: str | None) -> None:
    if mark is not None:
        (store.home / retention.MARK).write_text(mark)
    assert clock(store.home, 1000.0, note=False) == 1000.0
    assert clock(store.home, time.time() + DAY, note=False) == pytest.approx(time.time(), abs=1)


def test_jobs_of_today_outlive_a_clock_that_jumped_a_year(store: JobStore) -> None:
    finished(store, age=365 * DAY)  # as it seems
    noted(store.home, behind=365 * DAY, ran=3600)
    assert expire_due(store, moment=clock(store.home, 0, note=True)) == []


# ---- a disk that fills


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[JobStore]:
    """A store on a disk of 64 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    (tmp_path / "home").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(tmp_path / "home")], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr}")
    yield open_store(tmp_path)
    subprocess.run(["umount", "--lazy", str(tmp_path / "home")], check=True)


FULL = Rules(keep=30 * DAY, keep_disk=0.8, keep_status=0)
MB = 1_000_000


def test_the_oldest_make_room_until_there_is_some(small_disk: JobStore) -> None:
    jobs = [finished(small_disk, age=DAY * (20 - number), content=2 * MB) for number in range(10)]  # 6 MB each
    assert retention.excess(small_disk.home, 0.8) > 0
    gone = expire_due(small_disk, FULL)
    assert gone == [(job_id, DISK) for job_id in jobs[: len(gone)]] and 1 <= len(gone) <= 3
    assert retention.excess(small_disk.home, 0.75) <= 0
    assert expire_due(small_disk, FULL) == []


def test_who_ended_within_the_hour_makes_no_room(small_disk: JobStore) -> None:
    for _ in range(10):
        finished(small_disk, age=1800, content=2 * MB)
    assert expire_due(small_disk, FULL) == []


def test_a_pinned_job_makes_no_room(small_disk: JobStore) -> None:
    jobs = [finished(small_disk, age=DAY * (20 - number), content=2 * MB) for number in range(10)]
    small_disk.pin(jobs[0], True)
    assert (jobs[0], DISK) not in expire_due(small_disk, FULL)


def test_jobs_make_no_room_for_what_others_keep_on_the_disk(small_disk: JobStore) -> None:
    (small_disk.home / "foreign").write_bytes(b"x" * 58 * MB)
    jobs = [finished(small_disk, age=DAY, content=MB) for _ in range(2)]
    assert retention.excess(small_disk.home, 0.8) > 0
    assert expire_due(small_disk, FULL) == []
    assert all("results.json" in left(small_disk, job_id) for job_id in jobs)


def test_a_file_that_vanished_without_expiry_is_still_corruption(store: JobStore) -> None:
    job_id = finished(store, age=DAY)
    (store.folder(job_id) / "results.json").unlink()
    with pytest.raises(JobCorrupt):
        store.results(job_id)


def test_nothing_is_wrong_with_an_expired_job(store: JobStore) -> None:
    finished(store, age=31 * DAY)
    expire_due(store)
    assert check(store) == []
