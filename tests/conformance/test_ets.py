"""The requests and assertions of the OGC's executable test suite, replayed against a server as it is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.mills import Mill, serving
from support.packages import tool
from support.water import EXAMPLE
from support.web import pages

from geomill.app.config import Settings

ETS = Path(__file__).parents[3] / "shared/standard/schemas/mini_ets.py"
LINES, LINES_2 = 41, 15  # of part 1 and of part 2


pytestmark = pytest.mark.skipif(
    not ETS.exists(), reason="needs the replay of the official test suite, which is not shipped"
)


def replay(mill: Mill, *options: str) -> list[str]:
    """The lines of the test suite."""
    command = [sys.executable, str(ETS), mill.url, *options]
    suite = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    for job_id in mill.engine.store.walk():  # one still pauses: jobs outlive their server
        mill.engine.dismiss(job_id)
    lines = [line for line in suite.stdout.splitlines() if line.startswith(("PASS", "FAIL", "SKIP"))]
    assert suite.returncode == len([line for line in lines if line.startswith("FAIL")]), suite.stdout
    return lines


def test_every_line_of_the_test_suite_passes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with serving(Settings(home=home, runtime_dir=tmp_path / "run")) as mill:
        lines = replay(mill, "--echo", "echo")
    assert [line for line in lines if not line.startswith("PASS")] == []
    assert len(lines) >= LINES


def test_every_line_of_the_test_suite_of_part_2_passes(tmp_path: Path) -> None:
    package = (EXAMPLE / "water-bodies.cwl").read_bytes()
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    with pages({"/app.cwl": (200, {}, package)}) as url, serving(settings, allow=url.removeprefix("http://")) as mill:
        deployed = mill.call("POST", "/processes", tool(), Content_Type="application/cwl+json")
        assert deployed.status == 201, deployed.data  # the suite undeploys the first process that it may
        lines = replay(mill, "--no-part1", "--part2", "--app", f"{url}/app.cwl")
    assert [line for line in lines if not line.startswith("PASS")] == []
    assert len(lines) >= LINES_2
