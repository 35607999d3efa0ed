"""What happens around a server: the host is started again, a process that holds a lock is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.at_work import at_work
from support.mills import Mill, serving
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.jobstore import Status
from geomill.jobstore.fsck import check

SOON = 15.0  # seconds, on a loaded machine; nobody is held up for longer than one
FREEZE = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("writing", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def after_a_restart(folder: Path) -> tuple[str, ...]:
    """Runs a command on this host after its next start, as far as it can tell."""
    (folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    script = f'mount --bind {folder}/boot_id /proc/sys/kernel/random/boot_id && exec "$0" "$@"'
    prefix = ("unshare", *user, "--mount", "sh", "-c", script)
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("this host allows no mount namespaces")
    return prefix


def test_after_a_restart_of_the_host_running_jobs_have_failed_and_waiting_ones_start(
    settings: Settings, tmp_path: Path
) -> None:
    prefix = after_a_restart(tmp_path)
    with serving(settings, max_running="1") as mill:
        running = mill.submit("hold")
        mill.message(running, "holding")
        waiting = [mill.submit("nap") for _ in range(3)]
        dispatcher = mill.dispatcher()
        assert dispatcher
        reaper.kill_tree([mill.pid, dispatcher])  # the jobs as well: a host that goes down leaves nobody
        until(lambda: not at_work(running))
    with serving(settings, prefix=prefix, max_running="1") as mill:
        until(lambda: mill.status(running)["status"] == "failed", SOON)
        assert mill.status(running)["message"] == "the host was restarted while the job ran"
        until(lambda: {mill.status(job_id)["status"] for job_id in waiting} == {"successful"}, 2 * SOON)
        listed = {job["jobID"]: job["status"] for job in mill.call("GET", "/jobs").json()["jobs"]}
        assert listed == {running: "failed", **dict.fromkeys(waiting, "successful")}
        assert not (mill.settings.home / "default/jobs" / running[:7] / running / "work").exists()


@contextmanager
def stopped_writer(mill: Mill) -> Iterator[None]:
    """A process that was stopped while it wrote the index."""
    path = mill.store.index.path.resolve()
    writer = subprocess.Popen([sys.executable, "-c", FREEZE, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout and writer.stdout.readline() == b"writing\n"
    os.waitid(os.P_PID, writer.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        yield
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()


@pytest.mark.thorough
def test_a_writer_of_the_index_that_was_stopped_holds_nobody_up(settings: Settings) -> None:
    with serving(settings) as mill:
        before = mill.submit("nap", seconds=0.5)
        with stopped_writer(mill):
            begun = time.monotonic()
            job_id = mill.submit("nap")
            assert mill.call("POST", "/processes/nap/execution", {}).data == b"1"
            assert mill.ended(job_id).status is Status.SUCCESSFUL
            assert mill.ended(before).status is Status.SUCCESSFUL
            jobs = mill.call("GET", "/jobs?status=successful").json()["jobs"]
            assert {before, job_id} <= {job["jobID"] for job in jobs}
            assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
            assert time.monotonic() - begun < 2 * SOON
        until(lambda: check(mill.store) == [])
