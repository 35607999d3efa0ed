"""Geomill at work for tests: a dispatcher, or a whole server, that is gone afterwards."""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import urllib3
from support import leaks
from support.commands import Command, Started
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.app.engine.client import Engine, open_store
from geomill.app.engine.runtime import ELECTION, SERVING
from geomill.app.engine.starting import start_dispatcher
from geomill.app.server import open_registry
from geomill.jobstore import JobStore, StatusInfo
from geomill.processes.packages import PASSABLE

# runs a command where no PID namespace can be made, as on some hosts and in most containers
WITHOUT_NAMESPACES = (
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    'for kind in pid user; do echo 0 > /proc/sys/user/max_${kind}_namespaces || exit 1; done; exec "$0" "$@"',
)
COMMAND = OURS = (sys.executable, "-P", "-m", "geomill.app.cli")
Server = subprocess.Popen[str] | Started
_WARM = Command("geomill.app.cli:main", "geomill.app.cli.serve", "geomill.app.cli.web", "geomill.app.api")


@dataclass(frozen=True)
class Mill:
    """A running server. pid: of gunicorn's master; url: of a tenant's landing page, without a slash at the end."""

    url: str
    pid: int
    settings: Settings
    tenant: str = "default"

    def of(self, tenant: str) -> Mill:
        """The server as somebody of another tenant sees it."""
        return replace(self, url=f"{self.url}/{tenant}/ogc-api", tenant=tenant)

    @property
    def engine(self) -> Engine:
        """What a worker would ask the dispatcher with."""
        return Engine(self.settings, self.store)

    @property
    def store(self) -> JobStore:
        """The store, as another process sees it."""
        return open_store(self.settings, self.tenant)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        """One request on a connection of its own, never sent twice; names of headers are written with an underscore."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with urllib3.PoolManager(retries=False, timeout=60) as pool:
            return pool.request(method, self.url + path, json=body, headers=named)

    def submit(self, process: str, **inputs: Any) -> str:
        """Execute a process asynchronously: the job's id."""
        reply = self.call("POST", f"/processes/{process}/execution", {"inputs": inputs}, Prefer="respond-async")
        assert reply.status == 201, reply.data
        return str(reply.json()["jobID"])

    def status(self, job_id: str) -> dict[str, Any]:
        """The status document of a job."""
        reply = self.call("GET", f"/jobs/{job_id}")
        assert reply.status == 200, reply.data
        return cast(dict[str, Any], reply.json())

    def ended(self, job_id: str, seconds: float = 60.0) -> StatusInfo:
        """How a job ended; waited for, in the store."""
        store = self.store
        return cast(StatusInfo, until(lambda: info if (info := store.status(job_id)).status.final else None, seconds))

    def message(self, job_id: str, words: str, seconds: float = 60.0) -> None:
        """Wait until a running job says these words."""
        store = self.store
        until(lambda: (store.status(job_id).message or "").startswith(words), seconds)

    def waits(self, job_id: str, place: int) -> None:
        """Wait until a job has this place in the queue."""
        said = f"waiting, number {place} in the queue (an estimate)"
        until(lambda: self.status(job_id).get("message") == said)

    def dispatcher(self) -> int | None:
        """The dispatcher's pid, if there is one that answers."""
        return _dispatcher(self.engine)

    def template(self, name: str = "base") -> int:
        """The pid of a template, as soon as it has its name. Fails when it does not come."""
        dispatcher, called = self.dispatcher() or 0, f"geomill-{name}"
        named = until(lambda: [pid for pid in leaks.children(dispatcher) if leaks.running_name(pid) == called])
        assert len(named) == 1
        return int(named[0])

    def workers(self) -> list[int]:
        """The pids of the web workers."""
        return leaks.children(self.pid)


def take(path: Path, kind: int) -> int:
    """A lock of the runtime directory, held as long as the descriptor is open."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, kind)
    return descriptor


@cache
def _described(*folders: Path) -> Path:
    """A home that knows the shipped processes, and those of folders; describing them takes a second."""
    home = Path(tempfile.mkdtemp(prefix="geomill-described-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    if folders:
        shutil.copytree(_described() / "packages", home / "packages")
    assert not open_registry(Settings(home=home, runtime_dir=home / "run", processes=folders)).broken()
    return home


def furnish(home: Path, *folders: Path) -> None:
    """Make a new home as if a server of it had described the shipped processes, and those of folders."""
    if not home.exists() or not any(home.iterdir()):
        home.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
        shutil.copytree(_described(*folders) / "packages", home / "packages")


@contextmanager
def dispatching(settings: Settings, *, shared: bool = False) -> Iterator[int]:
    """A dispatcher without a server: its pid. shared: it serves several tests, and is no leak of any."""
    furnish(settings.home)
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
def serving(
    settings: Settings,
    *options: str,
    shared: bool = False,
    new: bool = False,
    cold: bool = False,
    prefix: Sequence[str] = (),
    **environment: str,
) -> Iterator[Mill]:
    """`geomill serve` on a free port.

    options: of the command; new: it makes its home itself; prefix: a command that runs it;
    cold: it is started as people do, where the tests are, in a network of their own for example;
    environment: GEOMILL_* in lower case, without that.
    """
    if not new:
        furnish(settings.home)
    command = [*prefix, *COMMAND, "serve", "--port", "0", *options]
    given = {
        "home": str(settings.home),
        "runtime_dir": str(settings.runtime_dir),
        "processes": os.pathsep.join(map(str, settings.processes)),
        **environment,
    }
    server: Server
    if cold or prefix or new or COMMAND != OURS:
        where: dict[str, Any] = {"env": environ(given), "cwd": settings.home.parent}
        server = subprocess.Popen(command, **where, stdout=subprocess.PIPE, text=True)
    else:
        server = _WARM.start(*command[len(COMMAND) :], environment=environ(given), folder=settings.home.parent)
    assert server.stdout
    try:
        found = re.search(r"https?://\S+(?=/ )", server.stdout.readline())
        assert found, "the server did not start"
        mill = Mill(found[0], server.pid, settings)
        said = dict(zip(options, options[1:], strict=False)).get("--workers")
        workers = 1 if prefix else int(said or environment.get("workers", settings.workers))
        dispatcher = until(lambda: len(mill.workers()) >= workers and mill.dispatcher())
        if shared:
            leaks.share(server.pid)
            leaks.share(dispatcher)
        yield mill
    finally:
        stop(server, settings)


def stop(server: Server, settings: Settings) -> None:
    """End a server in order, then its dispatcher, which would stay for a while."""
    engine = Engine(settings, open_store(settings))
    pids = {_dispatcher(engine)}
    server.terminate()
    server.wait(30)
    if server.stdout:
        server.stdout.close()
    pids.add(_dispatcher(engine))  # perhaps another by now
    engine.retire()
    for pid in pids - {None}:
        assert holds(lambda: not leaks.running_name(pid or 0)), "the dispatcher did not leave"  # noqa: B023


def _dispatcher(engine: Engine) -> int | None:
    """The pid of the dispatcher that answers."""
    answer = engine.ask({"op": "hello"}, 2.0)
    return answer["pid"] if answer else None


def environ(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of these tests with these settings and no others."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_")}
    return plain | {f"GEOMILL_{name.upper()}": value for name, value in settings.items() if value}
