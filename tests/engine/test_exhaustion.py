"""A host has no more of something: a clear answer, nothing harmed, and all goes on when it is back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
from chaos.server import fresh
from support.mills import Mill, serving
from support.variants import thorough
from support.waiting import until
from urllib3.exceptions import HTTPError

from geomill.app.config import Settings
from geomill.app.engine import threads
from geomill.app.engine.runtime import SOCKET
from geomill.jobstore import JobStore, Status, StatusInfo
from geomill.jobstore.fsck import check

ROOT = os.geteuid() == 0
USER = 1001  # somebody whom limits on the number of processes bind
LONELY = 3_000_018  # and who is nobody else

PROCESSES = '''
import os, time
from pathlib import Path
from typing import Annotated
from geomill.processes import File, Progress, process

@process
def wait(flag: str, progress: Progress) -> int:
    """Wait for a file, and be done."""
    progress(10, "waiting")
    while not Path(flag).exists():
        time.sleep(0.01)
    return 1

@process
def gorge(how: str) -> int:
    """Use up the disk."""
    if how == "bytes":
        with open("all", "wb", 0) as file:
            while True:
                file.write(bytes(1 << 20))
    for number in range(10**6):
        open(str(number), "w").close()
    return 1

@process
def give() -> Annotated[Path, File("A text", "text/plain")]:
    """Give a file."""
    Path("text.txt").write_text("hello")
    return Path("text.txt")
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes/hungry.py").write_text(PROCESSES)
    return tmp_path / "processes"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m,nr_inodes=2000,mode=755", "tmpfs", str(place)]
    if not ROOT or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def take_all(disk: Path, how: str) -> Callable[[], None]:
    """Use up what is left on a disk; gives what gives it back."""
    ballast = disk / "ballast"
    ballast.mkdir()
    with suppress(OSError), open(ballast / "all", "wb", 0) as file:
        while how == "bytes":
            file.write(bytes(4096))
    with suppress(OSError):
        for number in count():
            (ballast / str(number)).touch()

    def give_back() -> None:
        for path in ballast.iterdir():
            path.unlink()

    return give_back


@pytest.mark.parametrize("how", ["bytes", thorough("inodes")])
def test_a_disk_that_is_full_harms_nothing_and_all_goes_on_when_it_has_room(
    tmp_path: Path, folder: Path, disk: Path, how: str
) -> None:
    settings = Settings(home=disk / "home", runtime_dir=tmp_path / "run", processes=(folder,))
    with serving(settings, min_free_bytes="0", min_free_inodes="0", max_running="4") as mill:
        done, flag = mill.submit("give"), tmp_path / "flag"
        assert mill.ended(done).status is Status.SUCCESSFUL
        jobs = [mill.submit("wait", flag=str(flag)) for _ in range(3)]
        for job_id in jobs:
            mill.message(job_id, "waiting")
        dispatcher = mill.dispatcher()

        give_back = take_all(disk, how)
        execution, preferred = "/processes/give/execution", ("respond-async", "")
        refused = [mill.call("POST", execution, {}, Prefer=each) for each in preferred]
        assert [(each.status, each.json()["type"].rpartition("/")[2]) for each in refused] == [(507, "store-full")] * 2
        assert mill.call("GET", f"/jobs/{done}/results/result").data == b"hello"
        assert len(mill.call("GET", "/jobs").json()["jobs"]) == 4
        flag.touch()
        until(lambda: not any((mill.store.folder(job_id) / "work").exists() for job_id in jobs))
        if how == "bytes":  # how they ended cannot be written yet; a working directory gives an inode back
            assert {mill.status(job_id)["status"] for job_id in jobs} == {"running"}

        give_back()
        ended = [mill.ended(job_id) for job_id in jobs]
        known = {(Status.FAILED, "disk-full"), (Status.SUCCESSFUL, None)}
        assert {(info.status, info.cause) for info in ended} <= known
        assert Status.FAILED in {info.status for info in ended}
        again = mill.submit("give")
        assert mill.ended(again).status is Status.SUCCESSFUL
        assert mill.dispatcher() == dispatcher
        assert not [path for path in mill.store.jobs.glob("*/.*")]
        until(lambda: not check(mill.store))  # the index hears of an end a moment later


@pytest.mark.parametrize("how", ["bytes", thorough("inodes")])
def test_a_job_that_fills_the_disk_fails_with_that_cause(tmp_path: Path, folder: Path, disk: Path, how: str) -> None:
    settings = Settings(home=disk / "home", runtime_dir=tmp_path / "run", processes=(folder,))
    with serving(settings, min_free_bytes="0", min_free_inodes="0") as mill:
        job_id = mill.submit("gorge", how=how)
        info = mill.ended(job_id)
        assert (info.status, info.cause) == (Status.FAILED, "disk-full"), info
        reply = mill.call("GET", f"/jobs/{job_id}/results")
        assert (reply.status, reply.json()["type"]) == (503, f"{mill.url}/problems/disk-full")
        assert mill.ended(mill.submit("give")).status is Status.SUCCESSFUL


@contextmanager
def connected(path: Path, many: int) -> Iterator[None]:
    """So many clients of the dispatcher, who say nothing."""
    links = [socket.socket(socket.AF_UNIX) for _ in range(many)]
    try:
        for link in links:
            link.settimeout(1)
            link.connect(str(path))
        yield
    finally:
        for link in links:
            link.close()


def test_a_dispatcher_without_descriptors_goes_on_when_it_has_some(tmp_path: Path, folder: Path) -> None:
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(folder,))
    with serving(settings, prefix=("prlimit", "--nofile=64:64"), workers="1", threads="4") as mill:
        assert mill.ended(mill.submit("give")).status is Status.SUCCESSFUL
        dispatcher = mill.dispatcher()
        with connected(settings.runtime_dir / SOCKET, 100):
            jobs = [mill.submit("give") for _ in range(3)]  # accepted all the same
        assert [mill.ended(job_id, 60).status for job_id in jobs] == [Status.SUCCESSFUL] * 3
        assert mill.dispatcher() == dispatcher


@pytest.mark.thorough
def test_a_worker_without_descriptors_answers_all_the_same(tmp_path: Path, folder: Path) -> None:
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(folder,))
    with serving(settings, prefix=("prlimit", "--nofile=64:64"), workers="1", threads="32") as mill:
        workers = mill.workers()

        def ask(number: int) -> tuple[int, str]:
            reply = mill.call("POST", "/processes/give/execution", {}) if number % 2 else mill.call("GET", "/jobs")
            return reply.status, reply.headers.get("Retry-After", "")

        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(ask, range(80)))
        assert {status for status, _ in answers} <= {200, 201, 503}
        assert all(retry for status, retry in answers if status == 503)
        assert [status for status, _ in answers].count(200) > 0
        until(lambda: mill.call("GET", "/jobs").status == 200)
        assert mill.ended(mill.submit("give")).status is Status.SUCCESSFUL
        assert mill.workers() == workers


@pytest.mark.skipif(not ROOT, reason="only root can become an ordinary user")
@pytest.mark.thorough
def test_a_host_without_processes_lets_jobs_wait() -> None:
    with fresh(user=USER, prefix=("prlimit", "--nproc=250:250"), workers="1", threads="4") as server:
        mill = Mill(server.url, server.process.pid if server.process else 0, server.settings)
        until(lambda: reached(mill, "/processes/nap"), 60)
        first = mill.submit("nap", text="first")
        until(lambda: server.store.status(first).status is Status.SUCCESSFUL, 30)
        dispatcher = server.engine.ask({"op": "hello"}, 5.0)
        with ExitStack() as sleepers:
            with suppress(BlockingIOError):
                for _ in range(280):
                    sleeper = subprocess.Popen(["sleep", "600"], user=USER, group=USER, extra_groups=[])
                    sleepers.enter_context(sleeper)
                    sleepers.callback(sleeper.kill)
            job_id = mill.submit("nap", text="second")
            assert mill.status(job_id)["status"] != "failed"  # a spare process may have been there for it
        last = mill.submit("nap", text="last")
        ended = [until(lambda: final(server.store, each), 60) for each in (job_id, last)]  # noqa: B023
        assert [info.status for info in ended] == [Status.SUCCESSFUL] * 2, ended
        found = server.engine.ask({"op": "hello"}, 5.0)
        assert dispatcher and found and dispatcher["pid"] == found["pid"]
        server.retire()


def processes_of(user: int) -> int:
    """How many processes and threads this user has; what his limit counts."""
    found = 0
    for task in Path("/proc").glob("[0-9]*/task/[0-9]*"):
        with suppress(OSError):
            found += task.stat().st_uid == user
    return found


@pytest.mark.skipif(not ROOT, reason="only root can become an ordinary user")
def test_a_server_without_processes_or_threads_for_a_new_worker_waits_for_some() -> None:
    with fresh(user=LONELY, workers="1", threads="4") as server:
        assert server.process
        mill, log = Mill(server.url, server.process.pid, server.settings), server.root / "server.log"
        until(lambda: reached(mill), 60)
        (worker,) = mill.workers()
        limit_processes(worker, 0)
        with ThreadPoolExecutor(8) as pool:  # the threads that there are answer all
            assert all(pool.map(lambda _: reached(mill), range(16)))
        assert mill.workers() == [worker]

        limit_processes(mill.pid, 0)
        os.kill(worker, signal.SIGKILL)
        until(lambda: b"no worker can be started" in log.read_bytes(), 30)

        def waits_for_threads() -> bool:  # how many processes there are changes, so that may not do at once
            limit_processes(mill.pid, processes_of(LONELY) + 1)
            return b"no thread can be started" in log.read_bytes()

        until(waits_for_threads, 60)
        for pid in (mill.pid, *mill.workers()):
            limit_processes(pid, 10_000)
        until(lambda: reached(mill), 60)
        assert server.process.poll() is None and b"Traceback" not in log.read_bytes()
        server.retire()


def test_who_waits_for_a_thread_does_not_wait_for_ever() -> None:
    tries: list[int] = []

    def start() -> None:
        tries.append(1)
        raise RuntimeError("can't start new thread")

    with pytest.raises(threads.NoThreads, match=r"no thread could be started for 0.3 s: .*ulimit -u, TasksMax"):
        threads.insist(start, 0.3)
    assert len(tries) == 3  # at once, after 0.1 s, and when it is time


def limit_processes(pid: int, most: int) -> None:
    """Change how many processes the lonely user may have, as a process of his is concerned; it may have ended."""
    as_him = ("setpriv", f"--reuid={LONELY}", f"--regid={LONELY}", "--clear-groups")
    subprocess.run([*as_him, "prlimit", f"--pid={pid}", f"--nproc={most}:"], stderr=subprocess.DEVNULL)


def reached(mill: Mill, path: str = "/") -> bool:
    with suppress(HTTPError):
        return mill.call("GET", path).status == 200
    return False


def final(store: JobStore, job_id: str) -> StatusInfo | None:
    info = store.status(job_id)
    return info if info.status.final else None
