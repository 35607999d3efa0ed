"""Another version is installed while the server works: nobody notices but for the version."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import installs, leaks, mills
from support.mills import Mill, serving
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.jobstore import Status
from geomill.jobstore.fsck import check

OLD, NEW = "0.1.0", "9.9.9"
CLIENTS = 6
PAUSE = 0.2  # seconds between the requests of one
BEFORE, AFTER = 2.0, 3.0  # seconds of load


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By version: this one, and one to come."""
    built = {}
    for version in (OLD, NEW):
        copy = installs.clean_copy(tmp_path_factory.mktemp("copy") / "geomill")
        described = (copy / "setup.cfg").read_text()
        assert f"version = {OLD}" in described
        (copy / "setup.cfg").write_text(described.replace(f"version = {OLD}", f"version = {version}"))
        built[version] = installs.build(copy, copy.parent)
    return built


class Load:
    """Clients that ask again and again, each on connections of its own, never twice for the same."""

    def __init__(self, mill: Mill) -> None:
        self.mill, self.over = mill, threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.accepted: list[str] = []
        works: list[Callable[[], Any]] = [self.wait, self.submit, self.read] * (CLIENTS // 3)
        self.threads = [threading.Thread(target=self.go_on, args=(work,)) for work in works]
        for thread in self.threads:
            thread.start()

    def go_on(self, work: Callable[[], Any]) -> None:
        while not self.over.is_set():
            try:
                work()
                self.answers[work.__name__] += 1
            except Exception as error:
                self.failures.append(f"{work.__name__}: {error!r}")

    def wait(self) -> None:
        reply = self.mill.call("POST", "/processes/nap/execution", {"inputs": {"seconds": 0.2}})
        assert (reply.status, reply.data) == (200, b"0.2"), reply.data
        time.sleep(PAUSE)

    def submit(self) -> None:
        self.accepted.append(self.mill.submit("nap", seconds=0.1))
        time.sleep(PAUSE)  # installing may take a minute: the queue must not fill up

    def read(self) -> None:
        for path in ("/", "/processes", "/jobs?limit=5"):
            assert self.mill.call("GET", path).status == 200
        time.sleep(PAUSE)

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


def switch(current: Path, wheels: dict[str, Path]) -> Callable[[], None]:
    """Install the new version beside the old one; what is left to do is to let the link lead to it."""
    python = installs.environment(current.parent / NEW)
    installs.install(python, wheels[NEW])
    link = current.with_name("next")
    link.symlink_to(NEW)
    return lambda: os.replace(link, current)


def in_place(current: Path, wheels: dict[str, Path]) -> Callable[[], None]:
    """Install the new version over the old one: all of it is left to do."""
    return lambda: installs.install(current / "bin" / "python", wheels[NEW])


@pytest.mark.parametrize("upgrade", [switch, in_place], ids=["switch", "in_place"])
@pytest.mark.thorough
def test_no_request_and_no_job_is_lost_by_an_upgrade(
    settings: Settings, wheels: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upgrade: Any
) -> None:
    others = dispatchers()  # of servers that other tests share
    current = tmp_path / "current"
    installs.install(installs.environment(tmp_path / OLD), wheels[OLD])
    current.symlink_to(OLD)
    monkeypatch.setattr(mills, "COMMAND", (str(current / "bin" / "geomill"),))
    finish = upgrade(current, wheels)
    with serving(settings, max_running="8") as mill:
        before = {*mill.workers(), mill.dispatcher()}
        across = mill.submit("hold", until=str(tmp_path / "go"))
        mill.message(across, "holding")
        load = Load(mill)
        try:
            time.sleep(BEFORE)
            finish()
            os.kill(mill.pid, signal.SIGHUP)
            until(lambda: not before & {*mill.workers(), mill.dispatcher()} and mill.dispatcher(), 60)
            time.sleep(AFTER)
        finally:
            load.end()
        assert load.failures == []
        assert all(load.answers.values()) and len(load.answers) == 3
        (tmp_path / "go").touch()
        assert {mill.ended(each, 40).status for each in (*load.accepted, across)} == {Status.SUCCESSFUL}
        assert until(lambda: check(mill.store) == [])
        assert mill.call("GET", "/api").json()["info"]["version"] == NEW
        assert (mill.engine.ask({"op": "hello"}, 5) or {})["digest"].startswith(NEW)
        assert not [pid for pid in before if leaks.running_name(pid or 0)]
        assert len(mill.workers()) == 2
        assert until(lambda: dispatchers() - others == {mill.dispatcher()})


def dispatchers() -> set[int]:
    return {pid for pid in reaper.descendants(os.getpid()) if leaks.running_name(pid) == "geomill-dispatc"}
