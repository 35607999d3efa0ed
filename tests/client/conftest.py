"""A server of ours with a few processes, and services of others, for the client to ask."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support import mills, strangers

from geomill.app.config import Settings
from geomill.client import Client

PROCESSES = '''
from pathlib import Path
from typing import Annotated
from geomill.processes import File, Geometry, Progress, process
import json, time

@process
def count(to: int, progress: Progress) -> int:
    """Count."""
    for number in range(to):
        print("at", number, flush=True)
        progress(100 * number / to, f"at {number}")
    return to

@process
def fail() -> int:
    """Fail."""
    print("before it fails", flush=True)
    raise RuntimeError("it was meant to")

@process
def hold() -> int:
    """Wait for longer than any test."""
    print("holding", flush=True)
    time.sleep(600)
    return 0

@process
def measure(file: Annotated[Path, File("Bytes", "application/octet-stream")]) -> int:
    """Say how large a file is."""
    return file.stat().st_size

@process
def name(geometry: Geometry) -> str:
    """Say what a geometry is."""
    return geometry["type"]

@process
def draw(count: int = 1) -> list[Annotated[Path, File("Picture", "image/png")]]:
    """Draw."""
    paths = [Path(f"picture{number}.png") for number in range(count)]
    for path in paths:
        path.write_bytes(b"picture")
    return paths

@process
def shout(text: str, progress: Progress) -> dict:
    """Repeat a text wherever one can be said."""
    print(text, flush=True)
    progress(50, text)
    return {"said": text}
'''


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of ours: its address."""
    root = tmp_path_factory.mktemp("client")
    (root / "processes").mkdir()
    (root / "processes" / "few.py").write_text(PROCESSES)
    runtime_dir = Path(tempfile.mkdtemp(prefix="mill-"))
    settings = Settings(root / "home", runtime_dir, processes=(root / "processes",))
    with mills.serving(settings, "--workers", "1", shared=True) as mill:
        yield mill.url
    shutil.rmtree(runtime_dir)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GEOMILL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def server(url: str) -> Client:
    """The client of it."""
    return Client(url)


@pytest.fixture
def stranger() -> Iterator[Callable[..., Any]]:
    """Starts somebody else's service: stranger(location="none") gives it, with url, seen (requests) and jobs."""
    with ExitStack() as servers:
        yield lambda **quirks: servers.enter_context(strangers.serving(**quirks))
