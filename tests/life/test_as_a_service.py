"""What systemd does to a service, done to ours: the unit that is shipped asks for no more than this."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import leaks
from support.at_work import at_work
from support.mills import COMMAND, Mill, environ, serving, stop
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.jobstore import Status

OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
UNIT = Path(__file__).parents[2] / "examples" / "geomill.service"
# what User=, NoNewPrivileges= and CapabilityBoundingSet= leave
UNPRIVILEGED = ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")


def stop_main(mill: Mill) -> None:
    """As KillMode=process stops a service: its main process alone."""
    os.kill(mill.pid, signal.SIGTERM)
    assert holds(lambda: not leaks.running_name(mill.pid), 20)


def two_jobs(mill: Mill, go: Path) -> tuple[str, str]:
    """One that runs until there is a file, and one that waits for it."""
    running, waiting = mill.submit("hold", until=str(go)), mill.submit("nap")
    mill.message(running, "holding")
    return running, waiting


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_is_sound(tmp_path: Path) -> None:
    command = tmp_path / "geomill"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    text = UNIT.read_text()
    for documented, here in (("/opt/geomill/current/bin/geomill", str(command)), ("User=geomill", "User=root")):
        assert documented in text
        text = text.replace(documented, here)
    (tmp_path / "geomill.service").write_text(text)
    verify = ["systemd-analyze", "verify", "--man=no", tmp_path / "geomill.service"]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "geomill" in line]) == (0, [])


def settings_file(folder: Path) -> Path:
    """The documented settings of a service, for another folder."""
    (shown,) = re.findall(r"^```toml\n# /var/lib/geomill/geomill.toml\n(.*?)^```$", OPERATING, re.MULTILINE | re.DOTALL)
    assert all(f"#     {line}" in UNIT.read_text().splitlines() for line in shown.splitlines())
    file = folder / "geomill.toml"
    file.write_text(shown.replace("/var/lib/geomill", str(folder)).replace("/run/geomill", str(folder / "run")))
    return file


def test_the_unit_says_where_the_settings_are_and_sets_none() -> None:
    lines = UNIT.read_text().splitlines()
    assert [line for line in lines if line.startswith("Environment")] == [
        "Environment=GEOMILL_CONFIG=/var/lib/geomill/geomill.toml"
    ]
    assert {"WorkingDirectory=/var/lib/geomill", "StateDirectory=geomill", "RuntimeDirectory=geomill"} <= set(lines)


@pytest.mark.thorough
def test_a_command_in_the_folder_of_the_service_deals_with_its_home(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    settings = Settings.load({"GEOMILL_CONFIG": str(file), "HOME": "/nowhere"})
    assert (settings.home, settings.runtime_dir) == (tmp_path / "home", tmp_path / "run")

    def command(*arguments: str, status: int = 0) -> str:
        done = subprocess.run([*COMMAND, *arguments], env=environ({}), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done.stdout

    token = command("token", "create", "--name", "ann", "--role", "executor").strip()
    server = subprocess.Popen(  # as systemd starts it
        [*COMMAND, "serve", "--port", "0"], env=environ({"config": str(file)}), cwd=tmp_path, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert server.stdout
        found = re.search(r"http://\S+(?=/ )", server.stdout.readline())
        assert found
        mill = Mill(found[0], server.pid, settings)
        until(mill.dispatcher)
        body, bearer = {"inputs": {"echoInput": "hi"}}, f"Bearer {token}"
        made = mill.call("POST", "/processes/echo/execution", body, Prefer="respond-async", Authorization=bearer)
        job_id = made.json()["jobID"]
        assert mill.ended(job_id).status is Status.SUCCESSFUL
        (row,) = command("jobs", "ls", "--owner", "ann").splitlines()
        assert row.split()[:4] == [job_id, "echo", "ann", "successful"]
    finally:
        stop(server, settings)


def test_a_service_that_is_restarted_keeps_its_jobs_and_their_dispatcher(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, max_running="1") as mill:
        running, waiting = two_jobs(mill, tmp_path / "go")
        dispatcher, supervisor = mill.dispatcher(), mill.store.read_status(running).pid
        stop_main(mill)
        with serving(settings, max_running="1") as again:
            assert again.dispatcher() == dispatcher
            assert again.status(running)["status"] == "running"
            assert again.store.read_status(running).pid == supervisor
            (tmp_path / "go").touch()
            assert {again.ended(each).status for each in (running, waiting)} == {Status.SUCCESSFUL}


@pytest.mark.thorough
def test_a_runtime_directory_that_vanishes_with_the_service_costs_no_job(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, max_running="1") as mill:
        running, waiting = two_jobs(mill, tmp_path / "go")
        dispatcher = mill.dispatcher()
        assert dispatcher
        stop_main(mill)
        shutil.rmtree(settings.runtime_dir)  # as without RuntimeDirectoryPreserve=
        assert holds(lambda: not leaks.running_name(dispatcher), 20)  # it cannot be found any more
        with serving(settings, max_running="1") as again:
            assert again.status(running)["status"] == "running"
            (tmp_path / "go").touch()
            assert {again.ended(each).status for each in (running, waiting)} == {Status.SUCCESSFUL}


def test_where_everything_is_killed_jobs_that_ran_are_lost_and_the_others_start(
    settings: Settings, tmp_path: Path
) -> None:
    with serving(settings, max_running="1") as mill:
        running, waiting = two_jobs(mill, tmp_path / "go")
        dispatcher, supervisor = mill.dispatcher(), mill.store.read_status(running).pid
        assert dispatcher and supervisor
        for pid in (mill.pid, dispatcher, supervisor):  # as KillMode=control-group ends a service, at the latest
            leaks.kill(pid)
        with serving(settings, max_running="1") as again:
            lost = again.ended(running)
            assert (lost.status, lost.cause) == (Status.FAILED, "lost")
            assert again.ended(waiting).status is Status.SUCCESSFUL
            until(lambda: not at_work(running))


@pytest.mark.skipif(not all(map(shutil.which, ("setpriv", "bwrap"))), reason="needs setpriv and bubblewrap")
def test_tools_can_be_sandboxed_without_any_privilege() -> None:
    user = ("--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    apart = ("--unshare-all", "--unshare-user", "--disable-userns")
    sandbox = ["bwrap", *apart, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    command = [*UNPRIVILEGED, *user, "--", *sandbox, "true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
