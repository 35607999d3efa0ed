"""As process 1 of a PID namespace, which is what a container is: all ends with it, and nothing else reaps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import leaks
from support.at_work import at_work
from support.mills import COMMAND, Mill, serving
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.jobstore import Status

MAPPED = () if os.geteuid() == 0 else ("--user", "--map-current-user")
CONTAINER = ("unshare", *MAPPED, "--pid", "--fork", "--mount-proc", "--kill-child")
ORPHAN = "import os, time\nif os.fork() == 0:\n    time.sleep(0.2)\n"  # its child outlives it, and is nobody's


def possible() -> bool:
    return bool(shutil.which("unshare")) and not subprocess.run([*CONTAINER, "true"], capture_output=True).returncode


pytestmark = pytest.mark.skipif(not possible(), reason="needs unshare, and PID namespaces")


@contextmanager
def container(settings: Settings, **environment: str) -> Iterator[Mill]:
    """A server in a container, of which nothing is left."""
    with serving(settings, prefix=CONTAINER, **environment) as mill:
        try:
            yield mill
        finally:
            for pid in leaks.children(mill.pid):
                leaks.kill(pid)  # and with it all others


def first(mill: Mill) -> int:
    """The pid of process 1 as the host sees it: mill.pid is unshare's."""
    (pid,) = leaks.children(mill.pid)
    return pid


def stop(mill: Mill, number: int = signal.SIGTERM) -> None:
    """As `podman stop` does."""
    pid = first(mill)
    os.kill(pid, number)
    assert holds(lambda: not leaks.running_name(pid), 40)


def zombies(pid: int) -> list[int]:
    return [child for child in reaper.children(pid) if not leaks.running_name(child)]


def test_it_serves_and_runs_jobs_as_process_1(settings: Settings) -> None:
    with container(settings) as mill:
        status = Path(f"/proc/{first(mill)}/status").read_text()
        assert next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1] == "1"
        assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL


def test_it_buries_the_children_of_others(settings: Settings) -> None:
    with container(settings) as mill:
        pid = first(mill)
        into = ["nsenter", "--target", str(pid), *(("--user", "--preserve-credentials") if MAPPED else ()), "--pid"]
        for _ in range(5):
            subprocess.run([*into, sys.executable, "-c", ORPHAN], check=True, timeout=30)
        until(lambda: len(mill.workers()) >= 1)
        assert holds(lambda: not zombies(pid) and len(leaks.children(pid)) <= 3, 10)
        assert mill.call("GET", "/conformance").status == 200


@pytest.mark.thorough
def test_what_ran_is_lost_when_it_stops_and_what_waited_starts_afterwards(settings: Settings, tmp_path: Path) -> None:
    with container(settings, max_running="1") as mill:
        running, waiting = mill.submit("hold", until=str(tmp_path / "never")), mill.submit("nap")
        mill.message(running, "holding")
        stop(mill)
        assert holds(lambda: not at_work(running))  # all of the container has ended with it
    assert mill.store.read_status(running).status is Status.RUNNING
    with container(settings, max_running="1") as again:
        lost = again.ended(running)
        assert (lost.status, lost.cause) == (Status.FAILED, "lost")
        assert again.ended(waiting).status is Status.SUCCESSFUL
        assert again.call("GET", f"/jobs/{running}/results").status == 503


@pytest.mark.thorough
def test_a_pid_of_the_last_container_is_nobody_in_the_next(settings: Settings, tmp_path: Path) -> None:
    """The boot is the same, pids begin anew: the lock decides whether a job runs."""
    with container(settings) as mill:
        job_id = mill.submit("hold", until=str(tmp_path / "never"))
        mill.message(job_id, "holding")
        stop(mill, signal.SIGKILL)
    status = mill.store.folder(job_id) / "status.json"
    content = json.loads(status.read_text())
    status.write_text(json.dumps(content | {"pid": 1, "start_time": 0}))  # the server itself, in the next one
    with container(settings) as again:
        assert again.ended(job_id).cause == "lost"
        assert again.call("DELETE", f"/jobs/{job_id}").status == 200
        assert again.call("GET", "/conformance").status == 200


@pytest.mark.thorough
def test_a_drained_container_loses_nothing(settings: Settings, tmp_path: Path) -> None:
    with container(settings, max_running="1") as mill:
        running, waiting = mill.submit("hold", until=str(tmp_path / "go")), mill.submit("nap")
        mill.message(running, "holding")
        pid = first(mill)
        inside = ["nsenter", "--target", str(pid), *(("--user", "--preserve-credentials") if MAPPED else ()), "--pid"]
        given = os.environ | {"GEOMILL_HOME": str(settings.home), "GEOMILL_RUNTIME_DIR": str(settings.runtime_dir)}
        drain = [*inside, *COMMAND, "drain"]
        with subprocess.Popen([*drain, "--wait"], env=given, stdout=subprocess.DEVNULL) as waiting_for:
            until(lambda: (settings.home / "maintenance").exists())
            (tmp_path / "go").touch()
            assert waiting_for.wait(30) == 0
        stop(mill)
    with container(settings) as again:
        assert again.store.status(running).status is Status.SUCCESSFUL
        assert again.store.status(waiting).status is Status.ACCEPTED
        subprocess.run([*COMMAND, "drain", "--off"], env=given, check=True, stdout=subprocess.DEVNULL)
        assert again.ended(waiting).status is Status.SUCCESSFUL


@pytest.mark.thorough
def test_a_reload_keeps_process_1_and_its_jobs(settings: Settings, tmp_path: Path) -> None:
    with container(settings) as mill:
        job_id = mill.submit("hold", until=str(tmp_path / "go"))
        mill.message(job_id, "holding")
        pid, before = first(mill), set(leaks.children(first(mill)))
        os.kill(pid, signal.SIGHUP)
        until(lambda: len(set(leaks.children(pid)) - before) >= 2 and len(leaks.children(pid)) <= 3, 40)
        assert first(mill) == pid
        assert mill.status(job_id)["status"] == "running"
        (tmp_path / "go").touch()
        assert mill.ended(job_id).status is Status.SUCCESSFUL
