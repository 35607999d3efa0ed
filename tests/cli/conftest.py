"""Somebody else's service, and a home of ours."""

import os
import shutil
import tempfile
from contextlib import ExitStack

import click.testing
import pytest
from support import commands, mills, strangers
from support.variants import thorough

from geomill.app.cli import main
from geomill.app.config import Settings

GEOMILL = commands.Command("geomill.app.cli:main", "geomill.app.cli.local", "geomill.app.server")


@pytest.fixture
def stranger():
    """Starts such a service: stranger(location="none") gives the server, with url, seen (requests) and jobs."""
    with ExitStack() as servers:
        yield lambda **quirks: servers.enter_context(strangers.serving(**quirks))


@pytest.fixture
def geomill(monkeypatch):
    """Runs the command in this process: geomill("jobs", "ls").exit_code, .stdout, .stderr."""
    monkeypatch.delenv("GEOMILL_SERVER", raising=False)

    def run(*arguments):
        result = click.testing.CliRunner().invoke(main, [str(each) for each in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


PROCESSES = '''
import time
from pathlib import Path
from typing import Annotated
from geomill.processes import File, Progress, process

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
    """Print a word, then wait for longer than any test."""
    print("holding", flush=True)
    time.sleep(600)
    return 0

@process
def shout(text: str, progress: Progress, fails: bool = False) -> str:
    """Repeat a text wherever one can be said."""
    print(text, flush=True)
    progress(50, text)
    if fails:
        raise RuntimeError(text)
    return text

@process
def measure(file: Annotated[Path, File("Bytes", "application/octet-stream")]) -> int:
    """Say how large a file is."""
    return file.stat().st_size

@process
def draw() -> Annotated[Path, File("Picture", "image/png")]:
    """Draw."""
    path = Path("picture.png")
    path.write_bytes(b"picture")
    return path
'''


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Options and environment that name a home with a few processes, used by every test of this folder."""
    root = tmp_path_factory.mktemp("mill")
    (root / "processes").mkdir()
    (root / "processes" / "few.py").write_text(PROCESSES)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_")}
    environ |= {
        "GEOMILL_HOME": str(root / "home"),
        "GEOMILL_RUNTIME_DIR": tempfile.mkdtemp(prefix="mill-"),
        "GEOMILL_PROCESSES": str(root / "processes"),
    }
    settings = Settings.load(environ)
    with mills.dispatching(settings, shared=True):
        yield environ
    shutil.rmtree(settings.runtime_dir)


@pytest.fixture(scope="session")
def shell(place, tmp_path_factory):
    """Runs the command in a process of its own: shell("jobs", "ls").returncode, .stdout, .stderr."""
    folder = tmp_path_factory.mktemp("shell")

    def run(*arguments, **more):
        environment = place | {name: str(value) for name, value in more.items()}
        return GEOMILL(*arguments, environment=environment, folder=folder)

    return run


@pytest.fixture(params=[thorough("home"), "server"])
def ours(request, shell, serving):
    """Runs a command, on the home itself or by the server that serves it."""
    named = [] if request.param == "home" else ["--server", serving]
    return lambda *arguments: shell(*arguments, *named)


@pytest.fixture(scope="session")
def serving(place):
    """`geomill serve` on a free port: its URL."""
    with mills.serving(Settings.load(place), "--workers", "1", shared=True) as mill:
        yield mill.url
