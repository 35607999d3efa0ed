"""Geomill at work for tests: a dispatcher, or a whole server, that is gone afterwards."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import leaks
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine.client import Engine, open_store, start_dispatcher
from geomill.app.engine.dispatcher import ELECTION, SERVING

COMMAND = (sys.executable, "-P", "-m", "geomill.app.cli")


@dataclass(frozen=True)
class Mill:
    """A running server. pid: of gunicorn's master; url: of the landing page, without a slash at the end."""

    url: str
    pid: int
    settings: Settings

    @property
    def engine(self) -> Engine:
        """What a worker would ask the dispatcher with."""
        return Engine(self.settings, open_store(self.settings))

    def dispatcher(self) -> int | None:
        """The dispatcher's pid, if there is one that answers."""
        answer = self.engine.ask({"op": "hello"}, 2.0)
        return answer["pid"] if answer else None

    def workers(self) -> list[int]:
        """The pids of the web workers."""
        return leaks.children(self.pid)


def take(path: Path, kind: int) -> int:
    """A lock of the runtime directory, held as long as the descriptor is open."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, kind)
    return descriptor


@contextmanager
def dispatching(settings: Settings, *, shared: bool = False) -> Iterator[int]:
    """A dispatcher without a server: its pid. shared: it serves several tests, and is no leak of any."""
    engine = Engine(settings, open_store(settings))
    serving = take(settings.runtime_dir / SERVING, fcntl.LOCK_SH)
    election = take(settings.runtime_dir / ELECTION, fcntl.LOCK_EX)
    start_dispatcher(settings, election)
    os.close(election)
    pid = until(lambda: engine.ask({"op": "hello"}, 5.0))["pid"]
    if shared:
        leaks.share(pid)
    try:
        yield pid
    finally:
        engine.retire()
        os.close(take(settings.runtime_dir / ELECTION, fcntl.LOCK_EX))  # the dispatcher has it until it has left
        os.close(serving)


@contextmanager
def serving(settings: Settings, *options: str, shared: bool = False, **environment: str) -> Iterator[Mill]:
    """`geomill serve` on a free port; options: of the command, environment: GEOMILL_* in lower case, without prefix."""
    command = [*COMMAND, "serve", "--port", "0", *options]
    given = {
        "home": str(settings.home),
        "runtime_dir": str(settings.runtime_dir),
        "processes": os.pathsep.join(map(str, settings.processes)),
        **environment,
    }
    server = subprocess.Popen(command, env=environ(given), cwd=settings.home.parent, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        found = re.search(r"http://\S+(?=/ )", server.stdout.readline())
        assert found, "the server did not start"
        mill = Mill(found[0], server.pid, settings)
        dispatcher = until(mill.dispatcher)
        if shared:
            leaks.share(server.pid)
            leaks.share(dispatcher)
        yield mill
    finally:
        stop(server, settings)


def stop(server: subprocess.Popen[str], settings: Settings) -> None:
    """End a server in order, then its dispatcher, which would stay for a while."""
    server.terminate()
    server.wait(30)
    if server.stdout:
        server.stdout.close()
    Engine(settings, open_store(settings)).retire()
    os.close(take(settings.runtime_dir / ELECTION, fcntl.LOCK_EX))


def environ(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of these tests with these settings and no others."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_")}
    return plain | {f"GEOMILL_{name.upper()}": value for name, value in settings.items() if value}
