"""The requests and assertions of the OGC's executable test suite, replayed against a server as it is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.mills import serving

from geomill.app.config import Settings

ETS = Path(__file__).parents[3] / "shared/standard/schemas/mini_ets.py"
LINES = 41  # of part 1


@pytest.mark.skipif(not ETS.exists(), reason="needs the replay of the official test suite, which is not shipped")
def test_every_line_of_the_test_suite_passes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with serving(Settings(home=home, runtime_dir=tmp_path / "run")) as mill:
        command = [sys.executable, str(ETS), mill.url, "--echo", "echo"]
        suite = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        for job_id in mill.engine.store.walk():  # one still pauses: jobs outlive their server
            mill.engine.dismiss(job_id)
    lines = [line for line in suite.stdout.splitlines() if line.startswith(("PASS", "FAIL", "SKIP"))]
    assert [line for line in lines if not line.startswith("PASS")] == []
    assert len(lines) >= LINES and suite.returncode == 0, suite.stdout
