"""Whoever holds a job's folder is found and ended, however he forks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from geomill.app.engine import reaper

HOP = """
import os, sys, time
os.setsid()
os.chdir("work")
print(os.getpid(), flush=True)
while True:
    if os.fork():
        os._exit(0)
    time.sleep(0.001)
"""


def test_somebody_who_is_another_process_every_millisecond_is_caught(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    for _ in range(4):
        hopper = subprocess.Popen([sys.executable, "-c", HOP], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        with hopper:
            assert hopper.stdout
            group = int(hopper.stdout.readline())
            assert reaper.kill_holders(tmp_path, 10)
            ended = _all_ended(group)
            with suppress(ProcessLookupError):
                os.killpg(group, 9)  # a group is ended at once, and is its own proof
            assert ended
            assert _all_ended(group)


def _all_ended(group: int) -> bool:
    """Whether a process group, an orphan of which becomes a child of the tests, has no member; within a tenth."""
    deadline = time.monotonic() + 0.1
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            os.waitpid(-group, os.WNOHANG)
        return False
    return True


def test_who_works_elsewhere_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as other:
        assert reaper.kill_holders(tmp_path, 10)
        assert other.poll() is None
        other.kill()
