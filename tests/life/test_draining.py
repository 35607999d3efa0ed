"""Maintenance: nothing new is taken and no waiting job starts, in every worker and the dispatcher, until it is over."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
import urllib3
from support import leaks
from support.mills import COMMAND, Mill, environ, serving
from support.packages import OGC, docker
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.jobstore import Status

ECHO = {"inputs": {"echoInput": "x"}}


def drain(settings: Settings, *options: str) -> subprocess.CompletedProcess[str]:
    given = environ({"home": str(settings.home), "runtime_dir": str(settings.runtime_dir)})
    return subprocess.run([*COMMAND, "drain", *options], env=given, capture_output=True, text=True, timeout=60)


def holding(mill: Mill, until_there: Path) -> str:
    """A job that runs until there is a file."""
    job_id = mill.submit("hold", until=str(until_there))
    mill.message(job_id, "holding")
    return job_id


def test_whatever_is_new_is_refused_by_every_worker_at_once(settings: Settings) -> None:
    with serving(settings, "--workers", "2") as mill:
        ended = mill.submit("nap")
        mill.ended(ended)
        assert drain(settings, "--message", "Back at noon.").returncode == 0
        answers = [mill.call("POST", "/processes/echo/execution", ECHO) for _ in range(8)]
        answers += [mill.call("POST", f"/jobs/{ended}/retry")]
        with urllib3.PoolManager(retries=False, timeout=60) as pool:
            package, typed = docker("x"), {"Content-Type": OGC}
            answers += [pool.request("POST", f"{mill.url}/processes", body=package, headers=typed)]
        for answer in answers:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
            assert answer.json()["type"] == f"{mill.url}/problems/maintenance"
            assert answer.json()["detail"].endswith("Back at noon.")
        assert mill.call("GET", "/problems/maintenance").status == 200


def test_a_message_stays_until_another_or_the_end(settings: Settings) -> None:
    with serving(settings) as mill:
        for options, told in (
            (["--message", "Back at noon."], "Back at noon."),
            (["--wait"], "Back at noon."),
            (["--message", "Back at one."], "Back at one."),
            (["--message", ""], ""),
        ):
            assert drain(settings, *options).returncode == 0
            assert mill.call("GET", "/").json()["maintenance"].get("message") == told


def test_reading_and_dismissing_go_on(settings: Settings, tmp_path: Path) -> None:
    with serving(settings) as mill:
        running = holding(mill, tmp_path / "never")
        drain(settings, "--message", "Back at noon.")
        page = mill.call("GET", "/").json()
        assert page["maintenance"]["message"] == "Back at noon."
        shown = mill.call("GET", "/", Accept="text/html")
        assert shown.headers["Content-Type"].startswith("text/html")
        assert b"Under maintenance since" in shown.data and b"Back at noon." in shown.data
        assert mill.status(running)["status"] == "running"
        assert mill.call("DELETE", f"/jobs/{running}").json()["status"] == "dismissed"
        drain(settings, "--off")
        assert "maintenance" not in mill.call("GET", "/").json()
        assert b"maintenance" not in mill.call("GET", "/?f=html").data


def test_a_request_that_was_accepted_before_is_answered_again(settings: Settings) -> None:
    with serving(settings) as mill:
        first = mill.call("POST", "/processes/echo/execution", ECHO, Prefer="respond-async", Idempotency_Key="k")
        drain(settings)
        again = mill.call("POST", "/processes/echo/execution", ECHO, Prefer="respond-async", Idempotency_Key="k")
        assert (again.status, again.json()["jobID"]) == (201, first.json()["jobID"])


def test_waiting_jobs_wait_and_start_afterwards(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, max_running="1") as mill:
        running, waiting = holding(mill, tmp_path / "go"), mill.submit("nap")
        assert drain(settings).stdout.splitlines()[-1] == "1 job runs."
        (tmp_path / "go").touch()
        assert mill.ended(running).status is Status.SUCCESSFUL
        assert not holds(lambda: mill.store.status(waiting).status is not Status.ACCEPTED, 1.5)
        assert drain(settings, "--off").returncode == 0
        assert mill.ended(waiting).status is Status.SUCCESSFUL


def test_waiting_ends_when_nothing_runs(settings: Settings, tmp_path: Path) -> None:
    with serving(settings) as mill:
        running = holding(mill, tmp_path / "go")
        given = environ({"home": str(settings.home), "runtime_dir": str(settings.runtime_dir)})
        command = [*COMMAND, "drain", "--wait"]
        with subprocess.Popen(command, env=given, stdout=subprocess.PIPE, text=True) as waiting:
            until(lambda: (settings.home / "maintenance").exists())
            assert not holds(lambda: waiting.poll() is not None, 1)
            (tmp_path / "go").touch()
            assert waiting.wait(20) == 0
            assert mill.store.status(running).status is Status.SUCCESSFUL
            assert waiting.stdout and waiting.stdout.read().splitlines()[-1] == "No job runs."


def test_a_wait_that_was_too_short_is_a_status_of_one(settings: Settings, tmp_path: Path) -> None:
    with serving(settings) as mill:
        running = holding(mill, tmp_path / "go")
        begun = time.monotonic()
        done = drain(settings, "--wait", "--timeout", "500 ms")
        assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "1 job runs.")
        assert time.monotonic() - begun < 10
        (tmp_path / "go").touch()
        mill.ended(running)


@pytest.mark.thorough
def test_it_outlives_the_server_and_its_dispatcher(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, max_running="1") as mill:
        running, waiting = holding(mill, tmp_path / "go"), mill.submit("nap")
        drain(settings)
        (tmp_path / "go").touch()
        mill.ended(running)
        pid = mill.dispatcher()
        assert pid
        os.kill(mill.pid, 15)
        # with nothing to do the dispatcher leaves, though a job waits
        assert holds(lambda: not leaks.running_name(pid), 20)
    with serving(settings) as mill:
        assert mill.call("POST", "/processes/echo/execution", ECHO).status == 503
        assert mill.store.status(waiting).status is Status.ACCEPTED
        drain(settings, "--off")
        assert mill.ended(waiting).status is Status.SUCCESSFUL


def test_a_torn_mark_is_a_mark(settings: Settings) -> None:
    with serving(settings) as mill:
        (settings.home / "maintenance").write_text('{"since"')
        assert mill.call("POST", "/processes/echo/execution", ECHO).status == 503
        assert mill.call("GET", "/").json()["maintenance"]["since"]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--timeout", "soon"], "--timeout: expected seconds, or a duration"),
        (["--off", "--wait"], "--off ends it"),
    ],
)
def test_nonsense_is_a_line(settings: Settings, options: list[str], message: str) -> None:
    done = drain(settings, *options)
    assert done.returncode == 2
    assert f"Error: {message}" in done.stderr


@pytest.mark.thorough
def test_doctor_says_so(settings: Settings) -> None:
    drain(settings, "--message", "A new disk.")
    given = environ({"home": str(settings.home), "runtime_dir": str(settings.runtime_dir)})
    done = subprocess.run([*COMMAND, "doctor"], env=given, capture_output=True, text=True, timeout=120)
    assert "A new disk." in done.stdout
