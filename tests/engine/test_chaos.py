"""A little of `make chaos`, which takes minutes: processes of a server are killed at random, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ACTS = ("worker", "dispatcher", "template", "spare", "supervisor", "job", "hang up", "index")  # what takes no restart


@pytest.mark.thorough
def test_nothing_is_lost_doubled_stuck_or_left_in_a_little_chaos() -> None:
    options = [word for act in ACTS for word in ("--only", act)]
    command = [sys.executable, "-m", "chaos", "--mode", "as this user", "--kills", "15", "--dismissals", "0"]
    command += ["--clients", "3", *options]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
