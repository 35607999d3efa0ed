"""SIGHUP: the server begins anew with the settings that there are now, and what is wrong with them changes nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import leaks
from support.mills import COMMAND, Mill, environ, stop
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.jobstore import Status


@contextmanager
def serving(settings: Settings, text: str = "", *options: str) -> Iterator[Mill]:
    """A server with a geomill.toml in the folder that its home is in, and its standard error beside that."""
    folder = settings.home.parent
    (folder / "geomill.toml").write_text(text)
    given = {"home": str(settings.home), "runtime_dir": str(settings.runtime_dir)}
    given["processes"] = str(settings.processes[0])
    with open(folder / "stderr", "wb") as errors:
        server = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", *options], env=environ(given), cwd=folder, stdout=subprocess.PIPE,
            stderr=errors, text=True,
        )  # fmt: skip
        assert server.stdout
        try:
            found = re.search(r"http://\S+(?=/ )", server.stdout.readline())
            assert found
            mill = Mill(found[0], server.pid, settings)
            until(mill.dispatcher)
            yield mill
        finally:
            stop(server, settings)


def reload(mill: Mill, text: str) -> None:
    """Change geomill.toml and say so."""
    (mill.settings.home.parent / "geomill.toml").write_text(text)
    os.kill(mill.pid, signal.SIGHUP)


def complaints(mill: Mill) -> str:
    return (mill.settings.home.parent / "stderr").read_text()


def title(mill: Mill) -> Any:
    return mill.call("GET", "/").json()["title"]


def replaced(mill: Mill, before: list[int], number: int = 2) -> bool:
    """Whether other workers serve now, this number of them."""
    now = mill.workers()
    return len(now) == number and not set(now) & set(before)


def test_web_settings_are_read_again(settings: Settings) -> None:
    with serving(settings, 'title = "Old"') as mill:
        before, dispatcher = mill.workers(), mill.dispatcher()
        reload(mill, 'title = "New"\nworkers = 3')
        until(lambda: replaced(mill, before, 3) and title(mill) == "New", 30)  # one of before may answer its last
        assert mill.dispatcher() == dispatcher


def test_a_change_for_jobs_brings_another_dispatcher_and_running_jobs_go_on(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, "max_running = 1") as mill:
        before, old = mill.workers(), mill.dispatcher()
        running, waiting = mill.submit("hold", until=str(tmp_path / "go")), mill.submit("nap")
        mill.message(running, "holding")
        supervisor = mill.store.read_status(running).pid
        reload(mill, "max_running = 2")
        assert mill.ended(waiting, 40).status is Status.SUCCESSFUL  # beside the other
        assert mill.store.read_status(running).pid == supervisor
        (tmp_path / "go").touch()
        assert mill.ended(running).status is Status.SUCCESSFUL
        until(lambda: replaced(mill, before), 30)
        assert old and not leaks.running_name(old)


WRONG = {
    "title = ": "geomill.toml: cannot be read: ",
    "workers = 0": "geomill.toml: workers: expected a whole number of at least 1, found 0",
    'titel = "x"': "geomill.toml: titel: expected the name of a setting, the nearest is title",
    'images = "none.toml"': "none.toml",
    'host = "256.0.0.1"': "cannot listen on 256.0.0.1",
}


@pytest.mark.thorough
def test_settings_that_are_wrong_change_nothing(settings: Settings) -> None:
    with serving(settings, 'title = "Old"') as mill:
        before = mill.workers()
        for number, (text, complaint) in enumerate(WRONG.items(), 1):
            reload(mill, text)
            until(lambda: complaints(mill).count(REFUSED) == number)  # noqa: B023
            assert complaint in complaints(mill).rpartition(REFUSED)[2], text
            assert (title(mill), mill.workers()) == ("Old", before), text
        reload(mill, 'title = "New"')
        until(lambda: replaced(mill, before), 30)
        assert title(mill) == "New"


REFUSED = "not reloaded, everything stays as it was: "


@pytest.mark.thorough
def test_a_request_in_flight_ends_under_the_old_settings(settings: Settings, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with serving(settings) as mill, ThreadPoolExecutor(1) as pool:
        before = mill.workers()
        body = {"inputs": {"until": str(tmp_path / "go")}}
        answer = pool.submit(lambda: mill.call("POST", "/processes/hold/execution", body))
        until(lambda: next(iter(mill.store.walk()), None))
        os.kill(mill.pid, signal.SIGHUP)
        until(lambda: len(set(mill.workers()) - set(before)) == 2, 30)
        (tmp_path / "go").touch()
        assert answer.result(60).status == 200
        until(lambda: replaced(mill, before), 30)


@pytest.mark.thorough
def test_a_storm_of_signals_ends_well(settings: Settings) -> None:
    with serving(settings) as mill:
        before = mill.workers()
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            os.kill(mill.pid, number)
        until(lambda: replaced(mill, before), 40)
        for _ in range(3):
            os.kill(mill.pid, signal.SIGHUP)
            assert not holds(lambda: not leaks.running_name(mill.pid), 0.4)
        until(lambda: len(mill.workers()) == 2, 40)
        assert mill.call("GET", "/conformance").status == 200


@pytest.mark.thorough
def test_a_stop_during_a_reload_is_heeded(settings: Settings) -> None:
    with serving(settings) as mill:
        os.kill(mill.pid, signal.SIGHUP)
        until(lambda: "Reloading." in complaints(mill), 30)
        os.kill(mill.pid, signal.SIGTERM)
        assert os.waitpid(mill.pid, 0)[1] == 0
        assert not mill.workers()


def test_a_stop_while_the_new_settings_are_tried_is_heeded(settings: Settings) -> None:
    with serving(settings) as mill:
        os.kill(mill.pid, signal.SIGHUP)
        until(lambda: any(b"--check" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in leaks.children(mill.pid)))
        os.kill(mill.pid, signal.SIGTERM)
        assert until(lambda: os.waitpid(mill.pid, os.WNOHANG)[0], 30) == mill.pid
        assert not mill.workers()


@pytest.mark.thorough
def test_a_stop_while_workers_are_only_just_forked_does_not_wait_for_long(settings: Settings) -> None:
    for _ in range(2):
        with serving(settings) as mill:
            before = mill.workers()
            os.kill(mill.pid, signal.SIGHUP)
            until(lambda: set(mill.workers()) - set(before), 30)  # noqa: B023
            os.kill(mill.pid, signal.SIGTERM)
            assert holds(lambda: not leaks.running_name(mill.pid), 15)  # noqa: B023
