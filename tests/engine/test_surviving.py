"""Nothing lives in a web worker: whatever process of the server ends, no job is lost, and waiting ones start."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support import leaks
from support.at_work import at_work
from support.mills import WITHOUT_NAMESPACES, Mill, dispatching, serving
from support.variants import thorough
from support.waiting import holds, until

from geomill.app import create_app
from geomill.app.config import Settings, SettingsError
from geomill.app.engine import reaper
from geomill.app.engine.client import Engine, open_store
from geomill.app.engine.runtime import LOG
from geomill.jobstore import Status
from geomill.jobstore.files import write_bytes
from geomill.jobstore.fsck import check
from geomill.jobstore.listing import repair_index

JOBS = 24
SOON = 15.0  # seconds in which everybody has to know of a loss, on a loaded machine

Pick = Callable[[Mill], int]


def worker(mill: Mill) -> int:
    return mill.workers()[0]


def master(mill: Mill) -> int:
    return mill.pid


def dispatcher(mill: Mill) -> int:
    pid = mill.dispatcher()
    assert pid
    return pid


template = Mill.template


def supervisor(mill: Mill) -> int:
    store = mill.store

    def running() -> int | None:
        found = (store.read_status(job_id) for job_id in store.walk())
        return next((info.pid for info in found if info.status is Status.RUNNING), None)

    pid = until(running)
    assert isinstance(pid, int)
    return pid


def submit(mill: Mill, seconds: float) -> str | None:
    """A job that was accepted; None when there was no answer."""
    try:
        return mill.submit("nap", seconds=seconds)
    except OSError:
        return None
    except Exception as error:
        assert "urllib3" in type(error).__module__, error
        return None


@pytest.mark.parametrize(
    "victim",
    [worker, master, dispatcher, thorough(template), supervisor],
    ids=["worker", "master", "dispatcher", "template", "supervisor"],
)
def test_no_accepted_job_is_lost_with_a_process_of_the_server(settings: Settings, victim: Pick) -> None:
    with serving(settings, max_running="4") as mill:
        accepted = [mill.submit("nap", seconds=0.1) for _ in range(JOBS // 2)]
        leaks.kill(victim(mill))
        killed = time.monotonic()
        accepted += [job_id for _ in range(JOBS // 2) if (job_id := submit(mill, 0.1))]
        store = mill.store
        lost = [job_id for job_id in accepted if mill.ended(job_id).status is not Status.SUCCESSFUL]
        assert time.monotonic() - killed < SOON + JOBS * 0.1
        assert [store.status(job_id).cause for job_id in lost] == (["lost"] if victim is supervisor else [])
        assert until(lambda: check(store) == [])


@pytest.mark.parametrize("victim", [worker, dispatcher, thorough(template)], ids=["worker", "dispatcher", "template"])
def test_running_jobs_go_on_without_whoever_started_them(settings: Settings, victim: Pick) -> None:
    with serving(settings) as mill:
        job_id = mill.submit("nap", seconds=4)
        until(lambda: mill.store.read_status(job_id).status is Status.RUNNING)
        before = mill.store.read_status(job_id)
        leaks.kill(victim(mill))
        assert mill.ended(job_id).status is Status.SUCCESSFUL
        assert mill.store.read_status(job_id).pid == before.pid


def test_a_job_that_lost_its_supervisor_has_failed_with_the_cause(mill: Mill) -> None:
    job_id = mill.submit("hostile")
    mill.message(job_id, "ready")
    leaks.kill(supervisor(mill))
    lost = mill.ended(job_id, SOON)
    assert (lost.status, lost.cause, lost.message) == (Status.FAILED, "lost", "the job's supervisor was lost")
    until(lambda: not at_work(job_id))
    until(lambda: not (mill.store.folder(job_id) / "work").exists())
    reply = mill.call("GET", f"/jobs/{job_id}/results")
    assert (reply.status, reply.json()["type"]) == (503, f"{mill.url}/problems/job-lost")


@pytest.mark.parametrize("prefix", [(), WITHOUT_NAMESPACES], ids=["with namespaces", "without"])
def test_nothing_is_left_of_a_job_that_lost_its_dispatcher_and_then_its_supervisor(
    settings: Settings, prefix: tuple[str, ...]
) -> None:
    with serving(settings, prefix=prefix) as mill:
        job_id = mill.submit("hostile")
        mill.message(job_id, "ready")
        before = dispatcher(mill)
        leaks.kill(before)
        until(lambda: mill.dispatcher() not in (None, before))
        until(lambda: (mill.engine.ask({"op": "hello"}, 2) or {}).get("running") == 1)
        leaks.kill(supervisor(mill))
        assert mill.ended(job_id, SOON).status is Status.FAILED
        until(lambda: not at_work(job_id))


def test_a_dispatcher_is_back_within_a_second(settings: Settings) -> None:
    with serving(settings) as mill:
        taken = []
        for _ in range(5):
            leaks.kill(dispatcher(mill))
            begin = time.monotonic()
            until(mill.dispatcher)
            taken.append(time.monotonic() - begin)
        assert min(taken) < 1 and max(taken) < SOON, taken  # something else may have had the processor


def test_there_is_one_dispatcher_however_many_want_one(settings: Settings, pytestconfig: pytest.Config) -> None:
    with serving(settings, "--workers", "4") as mill, serving(settings, "--workers", "4") as other:
        assert mill.dispatcher() == other.dispatcher()
        for _ in range(5 if pytestconfig.getoption("--thorough") else 2):
            leaks.kill(dispatcher(mill))
            until(lambda: dispatchers(settings) == [mill.dispatcher()])  # a template has its name for a moment


def dispatchers(settings: Settings) -> list[int]:
    """Those of a runtime directory, whose log they write."""
    log = str(settings.runtime_dir / LOG)
    named = [pid for pid in reaper.descendants(os.getpid()) if leaks.running_name(pid) == "geomill-dispatc"]
    return [pid for pid in named if _links(pid, 2) == log]


def _links(pid: int, descriptor: int) -> str:
    """What a descriptor of a process is; empty when the process has ended."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except FileNotFoundError:
        return ""


def test_a_synchronous_request_outlives_the_dispatcher(settings: Settings) -> None:
    with serving(settings) as mill:
        client = subprocess.Popen(
            ["curl", "-s", f"{mill.url}/processes/nap/execution", "-d", '{"inputs": {"seconds": 4}}'],
            stdout=subprocess.PIPE,
        )
        job = until(lambda: next(iter(mill.store.walk()), None))
        until(lambda: mill.store.read_status(job).status is Status.RUNNING)
        leaks.kill(dispatcher(mill))
        assert client.communicate(timeout=60)[0] == b"1"


def test_a_client_that_leaves_does_not_cancel_its_job(settings: Settings) -> None:
    with serving(settings) as mill:
        client = subprocess.Popen(
            ["curl", "-s", f"{mill.url}/processes/nap/execution", "-d", '{"inputs": {"seconds": 0.5}}']
        )
        job = until(lambda: next(iter(mill.store.walk()), None))
        client.send_signal(signal.SIGKILL)
        client.wait()
        assert mill.ended(job).status is Status.SUCCESSFUL


@pytest.fixture
def orphan(settings: Settings) -> Iterator[str]:
    """A job that a worker had just accepted when it was killed: in no index, and told to nobody."""
    app = create_app(settings)
    repair_index(app.jobs)
    app.tenants.default.jobs = app.jobs.unindexed()
    reply = app.test_client().post("/processes/nap/execution", json={"inputs": {}}, headers={"Prefer": "respond-async"})
    assert reply.json
    yield reply.json["jobID"]


def test_a_job_that_nobody_was_told_of_is_found(settings: Settings, orphan: str) -> None:
    with dispatching(settings):
        assert holds(lambda: open_store(settings).read_status(orphan).status is Status.SUCCESSFUL)


def test_a_job_that_nobody_was_told_of_is_found_an_hour_later(settings: Settings, orphan: str) -> None:
    long_ago = time.time() - 3600
    folder = open_store(settings).folder(orphan)
    aged = folder.with_name(f"{int(long_ago * 1000):012x}"[:8] + "-" + f"{int(long_ago * 1000):012x}"[8:] + orphan[13:])
    shard = folder.parents[1] / aged.name[:7]
    shard.mkdir()
    for name in ("job.json", "status.json"):
        text = (folder / name).read_text().replace(orphan, aged.name)
        (folder / name).unlink()
        (folder / name).write_text(text)
    folder.rename(shard / aged.name)
    last_look = settings.runtime_dir / "default.reconciled"  # of the last dispatcher
    last_look.touch()
    os.utime(last_look, (long_ago - 1, long_ago - 1))
    with dispatching(settings):
        assert holds(lambda: open_store(settings).read_status(aged.name).status is Status.SUCCESSFUL)


@pytest.mark.thorough
def test_a_dispatcher_with_other_settings_makes_way_and_jobs_go_on(settings: Settings) -> None:
    with serving(settings, max_running="2") as first:
        job_id = first.submit("nap", seconds=4)
        until(lambda: first.store.read_status(job_id).status is Status.RUNNING)
        before = first.dispatcher()
        with serving(settings, max_running="3") as second:
            until(lambda: second.dispatcher() not in (None, before))
            assert second.ended(second.submit("nap")).status is Status.SUCCESSFUL
            assert first.ended(job_id).status is Status.SUCCESSFUL


@pytest.mark.thorough
def test_a_dispatcher_without_a_server_or_a_job_leaves(settings: Settings) -> None:
    store = open_store(settings)
    engine = Engine(settings, store)
    with serving(settings) as mill:
        pid = dispatcher(mill)
        pidfd = os.pidfd_open(pid)
        leaks.kill(mill.pid)
        with closing(os.fdopen(pidfd)):
            assert reaper.wait_for_end(pidfd, 60)
    assert engine.ask({"op": "hello"}, 1.0) is None


@pytest.mark.thorough
def test_waiting_jobs_are_done_before_a_dispatcher_leaves(settings: Settings) -> None:
    with serving(settings, max_running="1") as mill:
        jobs = [mill.submit("nap", seconds=0.3) for _ in range(5)]
        leaks.kill(mill.pid)
        assert {mill.ended(job_id).status for job_id in jobs} == {Status.SUCCESSFUL}


@pytest.mark.parametrize("message", [b"", b"\n", b"{}\n", b'{"op": "template"}\n', b'{"op": "start"}\n', b"[1]\n"])
def test_nonsense_does_not_harm_the_dispatcher(mill: Mill, message: bytes) -> None:
    before = dispatcher(mill)
    with closing(mill.engine._connect()) as link:
        link.sendall(message)
    assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
    assert dispatcher(mill) == before


def test_a_job_whose_files_are_torn_harms_no_other(settings: Settings) -> None:
    with serving(settings) as mill:
        torn = mill.submit("hold")
        mill.message(torn, "holding")
        path: Path = mill.store.folder(torn) / "status.json"
        whole = path.read_bytes()
        path.write_bytes(b'{"status": ')
        assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
        leaks.kill(dispatcher(mill))
        assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
        path.write_bytes(whole)
        assert mill.call("DELETE", f"/jobs/{torn}").status == 200


@pytest.mark.thorough
def test_a_runtime_directory_that_was_removed_is_made_again(settings: Settings) -> None:
    with serving(settings) as mill:
        running = mill.submit("nap", seconds=4)
        until(lambda: mill.store.read_status(running).status is Status.RUNNING)
        talking = mill.submit("echo", echoInput="x", pause=3)  # whose reports need a lock in that directory
        before = dispatcher(mill)
        os.rename(settings.runtime_dir, settings.home.parent / "gone")  # at once: others go on making files in it
        shutil.rmtree(settings.home.parent / "gone", ignore_errors=True)
        job_id = mill.submit("nap")
        until(lambda: mill.dispatcher() not in (None, before))
        assert not leaks.running_name(before)
        assert mill.ended(job_id).status is Status.SUCCESSFUL
        assert [mill.ended(each).status for each in (running, talking)] == [Status.SUCCESSFUL] * 2
        assert len(mill.call("GET", "/jobs").json()["jobs"]) == 3


def test_a_home_that_is_served_is_not_used_with_other_locks(settings: Settings) -> None:
    other = replace(settings, runtime_dir=settings.home.parent / "other")
    with serving(settings) as mill:
        with pytest.raises(SettingsError, match=f"is being served with {settings.runtime_dir}: use that one"):
            open_store(other)
        assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
    assert open_store(other)  # now that nobody works there


def test_what_a_crash_left_half_removed_is_collected(settings: Settings) -> None:
    store = open_store(settings)
    left = store.jobs / "0198f3c" / ".old-0198f3c2-0000-7000-8000-000000000000"
    left.mkdir(parents=True)
    with dispatching(settings):
        assert holds(lambda: not left.exists())


@pytest.mark.parametrize("ended", [True, False])
def test_a_job_that_was_started_and_not_noted_is_taken_over(settings: Settings, ended: bool) -> None:
    with serving(settings) as mill:
        job_id = mill.submit("nap", seconds=0.1 if ended else 60)
        until(lambda: mill.store.read_status(job_id).status is (Status.SUCCESSFUL if ended else Status.RUNNING))
        leaks.kill(dispatcher(mill))
        with closing(sqlite3.connect(mill.store.index.path)) as connection, connection:
            connection.execute("UPDATE jobs SET status = 'accepted', started = NULL, finished = NULL")
        until(lambda: check(mill.store) == [])
        if not ended:
            assert mill.call("DELETE", f"/jobs/{job_id}").status == 200


def test_a_running_job_that_is_noted_as_waiting_is_put_right(mill: Mill) -> None:
    """As whoever makes the index anew may, who has read its status before."""
    job_id = mill.submit("nap", seconds=600)
    index = mill.store.index
    until(lambda: [each for each, _ in index.ids(Status.RUNNING)] == [job_id])
    index.read("UPDATE jobs SET status = 'accepted', started = NULL WHERE id = ?", (job_id,))
    until(lambda: [each for each, _ in index.ids(Status.RUNNING)] == [job_id])
    assert index.ids(Status.ACCEPTED) == [] and index.waiting("")[0] == 0
    ((started,),) = index.read("SELECT started FROM jobs WHERE id = ?", (job_id,))
    assert started is not None
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200


def test_a_job_that_is_torn_while_it_waits_says_so(settings: Settings) -> None:
    with serving(settings, max_running="1") as mill:
        holding, job_id = mill.submit("hold"), mill.submit("nap")
        mill.message(holding, "holding")
        write_bytes(mill.store.folder(job_id) / "job.json", b"{", durable=False)
        assert mill.call("DELETE", f"/jobs/{holding}").status == 200
        info = mill.ended(job_id)
    assert (info.status, info.cause) == (Status.FAILED, "corrupt")
    assert "job.json is torn" in str(info.message) and str(settings.home) not in str(info.message)
