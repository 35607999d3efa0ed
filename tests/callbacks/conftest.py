"""A server whose jobs may call back, and somebody who listens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mills import Mill, serving
from support.receivers import Receiver, receiving

from geomill.app.config import Settings

PROCESSES = '''
import time
from pathlib import Path
from typing import Annotated, TypedDict
from geomill.processes import File, Progress, process


@process
def hold(until: str, progress: Progress) -> str:
    """Go on until there is a file."""
    progress(10, "holding")
    while not Path(until).exists():
        time.sleep(0.01)
    return "done"


@process
def refuse() -> str:
    """Fail."""
    raise ValueError("there is nothing to be had")


@process
def large() -> Annotated[Path, File("Much", "application/octet-stream")]:
    """Give a large file."""
    Path("a.bin").write_bytes(bytes(6_500_000))
    return Path("a.bin")


class Both(TypedDict):
    number: int
    text: Annotated[Path, File("A text", "text/plain")]


@process
def two() -> Both:
    """Give a number and a file."""
    Path("a.txt").write_text("hello")
    return {"number": 7, "text": Path("a.txt")}
'''


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The processes of these tests."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "calling.py").write_text(PROCESSES)
    return folder


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Mill]:
    """A server that may send to this host."""
    place = tmp_path_factory.mktemp("mill")
    settings = Settings(home=place / "home", runtime_dir=place / "run", processes=(folder,))
    with serving(settings, shared=True, allow="127.0.0.1") as mill:
        yield mill


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who listens."""
    with receiving() as receiver:
        yield receiver
