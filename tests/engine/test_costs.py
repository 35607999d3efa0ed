"""What a job costs, by counting: system calls, files that are read, queries, what is in memory before it."""

from __future__ import annotations

import fcntl
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from support import leaks
from support.calls import Call, needs_strace, traced
from support.mills import Mill, serving
from support.stores import create, open_store, succeed
from support.waiting import until

from geomill.app import immortal
from geomill.app.config import Settings
from geomill.app.engine import limits, reaper, stillness
from geomill.app.engine.line import Line
from geomill.app.engine.listener import MOST, Client, Json, Listener
from geomill.app.engine.stores import latest
from geomill.jobstore import Limits, Status, alive
from geomill.jobstore.listing import repair_index

WORKERS = 2
BUSY = """
import sys, time
held = []
for line in sys.stdin:
    held.append(bytearray(int(line)))
    print(len(held), flush=True)
"""


@contextmanager
def told(script: str) -> Iterator[tuple[int, Callable[[object], None]]]:
    """A process that reads what it is to do, line by line, and prints a line when it has done it.

    The pid of its parent, which waits for it, and what tells it and waits until it has.
    """
    command = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as job:  # type: ignore[call-overload]
        assert job.stdin and job.stdout

        def tell(what: object) -> None:
            job.stdin.write(f"{what}\n")
            job.stdin.flush()
            assert job.stdout.readline()

        try:
            yield job.pid, tell
        finally:
            os.killpg(job.pid, signal.SIGKILL)


@pytest.fixture
def mill(settings: Settings) -> Iterator[Mill]:
    """A server that has run a job of each kind before."""
    with serving(settings, workers=str(WORKERS)) as mill:
        for _ in range(2):
            assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
        yield mill


def of_template(mill: Mill) -> list[int]:
    """The template for Python, and its spare."""
    template = mill.template()
    return until(lambda: pids if len(pids := [template, *reaper.descendants(template)]) == 3 else None)  # type: ignore[no-any-return]


def opened(calls: list[Call]) -> list[str]:
    """The paths that were opened, with success."""
    return [given.split('"')[1] for name, given in calls if name == "openat" and ") = -1" not in given]


@needs_strace
def test_a_job_reads_its_files_no_oftener_than_it_has_to_and_no_library(mill: Mill, tmp_path: Path) -> None:
    with traced(of_template(mill), tmp_path / "trace") as calls:
        job_id = mill.submit("nap")
        mill.ended(job_id)
        until(lambda: not mill.store.has_supervisor(job_id))
    own = Counter(Path(path).name for path in opened(calls) if job_id in path)
    # job.json: the lock, its supervisor, its child; status.json: when it begins, publishes and ends
    assert {own["job.json"], own["status.json"]} == {3} and own["request.json"] == 1
    assert [path for path in opened(calls) if path.endswith((".py", ".pyc", ".so")) and "/packages/" not in path] == []
    assert sum(name == "fsync" for name, _ in calls) == 3


@needs_strace
def test_a_job_takes_no_more_system_calls_than_that(mill: Mill, tmp_path: Path) -> None:
    """Of its supervisor and its child, and of the spare that comes after them."""
    with traced(of_template(mill), tmp_path / "trace") as calls:
        mill.ended(mill.submit("nap"))
        of_template(mill)
    assert len(calls) < 420, Counter(name for name, _ in calls).most_common(12)


def test_a_job_copies_no_more_pages_of_its_template_than_that(mill: Mill) -> None:
    job_id = mill.submit("nap", seconds=600)
    until(lambda: mill.store.read_status(job_id).status is Status.RUNNING)
    pid = mill.store.read_status(job_id).pid or 0
    (child,) = until(lambda: [each for each in leaks.children(pid) if leaks.running_name(each) == "nap"])
    time.sleep(0.2)  # it sleeps
    copied = faults(pid) + faults(child)
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
    mill.ended(job_id)
    assert copied < (1500 if immortal.POSSIBLE else 2700)


def faults(pid: int) -> int:
    """How many pages a process has copied, or got anew; and some that it read first."""
    found = alive.stat(pid)
    assert found
    return int(found[7])


@needs_strace
def test_workers_tell_the_dispatcher_of_jobs_through_connections_that_stay(mill: Mill, tmp_path: Path) -> None:
    jobs = []
    with traced([mill.dispatcher() or 0], tmp_path / "trace", children=False) as calls:
        with urllib3.PoolManager() as pool:
            for _ in range(8):
                address, headers = f"{mill.url}/processes/nap/execution", {"Prefer": "respond-async"}
                jobs.append(pool.request("POST", address, json={"inputs": {}}, headers=headers).json()["jobID"])
        for job_id in jobs:
            mill.ended(job_id)
    names = Counter(name for name, _ in calls)
    assert names["accept4"] <= WORKERS
    assert sum(names.values()) < 8 * 100, names.most_common(12)


def test_a_dispatcher_that_is_succeeded_is_told_through_a_new_connection(mill: Mill) -> None:
    before = mill.dispatcher() or 0
    leaks.kill(before)
    until(lambda: mill.dispatcher() not in (None, before))
    for _ in range(4):  # by each of the workers, most likely
        assert mill.ended(mill.submit("nap"), 5.0).status is Status.SUCCESSFUL


@contextmanager
def listening(path: Path) -> Iterator[tuple[list[Json], list[Client]]]:
    """Somebody listens at a path: what he hears, and who has said it."""
    heard: list[Json] = []
    clients: list[Client] = []

    def hear(client: Client, message: Json) -> None:
        heard.append(message)
        clients.append(client)

    with selectors.DefaultSelector() as selector:
        listener, over = Listener(path, selector, {"say": hear}), threading.Event()

        def serve() -> None:
            while not over.is_set():
                for key, _ in selector.select(0.01):
                    key.data()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard, clients
        finally:
            over.set()
            thread.join()
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
            listener.close()


def test_a_line_stays_and_leads_to_who_listens_now(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    line = Line(path)
    with pytest.raises(OSError):
        line.tell({"op": "say"})
    with listening(path) as (heard, clients):
        for number in range(3):
            line.tell({"op": "say", "number": number})
        until(lambda: [message["number"] for message in heard] == [0, 1, 2])
        assert len(set(clients)) == 1
    with listening(path) as (heard, _):
        line.tell({"op": "say", "number": 3})
        until(lambda: [message["number"] for message in heard] == [3])


def test_a_message_may_come_in_pieces_and_one_without_an_end_is_not_kept(tmp_path: Path) -> None:
    with listening(tmp_path / "socket") as (heard, _), socket.socket(socket.AF_UNIX) as link:
        link.connect(str(tmp_path / "socket"))
        for piece in (b'{"op": "sa', b'y"}\n{"op"', b': "say"}\n'):
            link.sendall(piece)
            until(lambda: fcntl.ioctl(link, termios.TIOCOUTQ, b"....") == bytes(4))  # it was read
        until(lambda: heard == [{"op": "say"}] * 2)
        link.settimeout(10)
        with pytest.raises(OSError):
            while True:
                link.sendall(b"x" * MOST)


def test_the_jobs_that_came_lately_are_found_by_one_query_however_many_they_are(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    repair_index(store)
    for _ in range(30):
        succeed(store, create(store))
    lost = create(store)
    store.index.delete(lost)
    statements: list[str] = []
    store.index._connection().set_trace_callback(statements.append)
    assert list(latest(store)) == [lost]
    assert len(statements) == 1


def test_a_job_that_does_nothing_is_glanced_at_and_rarely(tmp_path: Path) -> None:
    with told(BUSY) as (root, hold):
        hold(1)
        watch = limits.Watch(Limits(memory_limit=200_000_000, work=10**6), root, tmp_path)
        until(lambda: watch.look() or watch.pause > limits.LONGEST)  # it may have something to do for a moment
        for _ in range(8):
            assert watch.look() is None
        assert watch.pause == limits.RAREST
        assert not watch.is_needless()  # it is not time for one
        watch.due = 0.0
        assert watch.is_needless()
        assert 0 < watch.due - time.monotonic() <= limits.RAREST
        hold(50_000_000)
        watch.due = 0.0
        assert not watch.is_needless()
        assert watch.look() is None and watch.pause <= limits.LONGEST
        for _ in range(8):
            watch.look()
        hold(300_000_000)
        excess = watch.look()
        assert excess and excess.cause == "out-of-memory"


@needs_strace
def test_a_supervisor_asks_the_kernel_two_things_about_a_job_that_does_nothing(mill: Mill, tmp_path: Path) -> None:
    """Whether there is something to read, and whether the child has run."""
    job_id = mill.submit("nap", seconds=600)
    until(lambda: mill.store.read_status(job_id).status is Status.RUNNING)
    supervisor = mill.store.read_status(job_id).pid or 0
    time.sleep(3)  # and it is looked at, ever more rarely
    with traced([supervisor], tmp_path / "trace") as calls:
        time.sleep(limits.RAREST + 0.5)
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
    names = Counter(name for name, _ in calls)
    assert set(names) <= {"poll", "restart_syscall", "clock_gettime"} and 1 <= names["clock_gettime"] <= 4, names


def rested(root: int) -> stillness.Stillness:
    """How it is when nobody below has run for a moment."""

    def found() -> stillness.Stillness | None:
        still = stillness.of(root)
        time.sleep(0.05)
        return still if still and still.lasts() else None

    return until(found)  # type: ignore[no-any-return]


def test_who_waits_is_still_and_who_did_anything_at_all_is_not() -> None:
    with told(BUSY) as (root, hold):
        for _ in range(2):
            still = rested(root)
            hold(1)
            assert not still.lasts()
        still = rested(root)
        for child in reaper.children(root):
            leaks.kill(child)
        until(lambda: not reaper.descendants(root))
        assert not still.lasts()
        assert stillness.of(root) is None


def test_who_has_run_is_not_passed_over_until_there_was_a_whole_look(tmp_path: Path) -> None:
    """The kernel counts what a glance compares in hundredths of a second: much can be done in less."""
    with told(BUSY) as (root, hold):
        watch = limits.Watch(Limits(memory_limit=200_000_000, work=10**6), root, tmp_path)

        def needless() -> bool:
            watch.due = 0.0
            return watch.is_needless()

        def does_little() -> bool:
            hold(1)
            until(lambda: watch.look() or needless())
            hold(1)
            time.sleep(0.05)
            return watch._used.is_still_so()

        until(does_little)
        assert not needless()
        assert watch.look() is None and watch.pause > limits.FIRST  # a glance
        assert not needless()
        watch._seen = -math.inf
        watch.look()
        assert needless()
        watch._seen -= limits.LASTING
        assert not needless()  # nor for ever


FORKS = """
import os, random, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(12):
    os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
for line in sys.stdin:
    print("forks", flush=True)
    time.sleep(random.random() * 0.002)
    os.posix_spawn("/bin/sleep", ["sleep", "0.05"], {})
"""


def test_who_is_started_during_a_look_is_not_passed_over(tmp_path: Path) -> None:
    with told(FORKS) as (root, fork):
        until(lambda: len(reaper.descendants(root)) == 13)
        watch = limits.Watch(Limits(), root, tmp_path)
        for _ in range(150):
            fork("now")
            watch._seen = -math.inf
            watch.look()
            time.sleep(0.02)
            if watch._still and watch._still.lasts():
                assert watch._still.clocks.keys() == set(reaper.descendants(root)) or not watch._still.lasts()


def test_a_template_has_nothing_in_memory_that_only_a_command_needs() -> None:
    script = "import sys; from geomill.app.engine import dispatcher, templates; templates.preload('base');"
    script += "print({'importlib.metadata', 'csv', 'zipfile', 'flask', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("set()\n", 0), done.stderr


SPAWNS = """
import os, sys
for line in sys.stdin:
    if line.startswith("spawn"):
        pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    else:
        descriptor = os.open(line.strip(), os.O_WRONLY | os.O_CREAT)
        os.posix_fallocate(descriptor, 0, 3_000_000)
        os.close(descriptor)
    print("done", flush=True)
"""


@pytest.mark.parametrize("does, cause", [("spawn", "process-limit"), ("fallocate", "work-limit")])
def test_what_takes_no_processor_time_is_noticed_at_a_glance(tmp_path: Path, does: str, cause: str) -> None:
    with told(SPAWNS) as (root, order):
        order("spawn" if does == "spawn" else tmp_path / "first")
        most = Limits(processes=2) if does == "spawn" else Limits(work=5_000_000)
        watch = limits.Watch(most, root, tmp_path)
        until(lambda: watch.look() or watch.pause > limits.LONGEST)
        order("spawn" if does == "spawn" else tmp_path / "second")
        watch.due = 0.0
        assert not watch.is_needless()
        excess = watch.look()
        assert excess is not None and excess.cause == cause
