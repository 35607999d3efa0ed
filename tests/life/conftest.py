"""Homes and processes of the tests of a server's life."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.mills import furnish

from geomill.app.config import Settings

PROCESSES = '''
import time
from pathlib import Path
from typing import Annotated
from geomill.processes import File, Progress, process


@process
def nap(seconds: float = 0.05) -> float:
    """Sleep, and be done."""
    time.sleep(seconds)
    return seconds


@process
def hold(until: str, progress: Progress) -> str:
    """Go on until there is a file."""
    progress(10, "holding")
    while not Path(until).exists():
        time.sleep(0.01)
    return "done"


@process
def write() -> Annotated[Path, File("A text", "text/plain")]:
    """Print a word, and write a file."""
    print("writing")
    Path("a.txt").write_text("hello")
    return Path("a.txt")


@process
def large(megabytes: int) -> str:
    """Give much text."""
    return "x" * (megabytes * 1000000)
'''


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The processes of these tests."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "life.py").write_text(PROCESSES)
    return folder


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    """A home of its own for one test, where the processes are known."""
    furnish(tmp_path / "home", folder)
    return Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(folder,))
