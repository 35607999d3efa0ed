"""The server that chaos falls upon: `geomill serve` on one port and one home, started as often as it takes."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from support import leaks
from support.mills import COMMAND, environ
from support.waiting import holds

from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.app.engine.client import Engine
from geomill.jobstore import JobStore

NOBODY = 65534
LONGEST = 2.0  # seconds that a job runs which is not to be dismissed
PROCESSES = '''
import os, signal, time
from pathlib import Path
from typing import Annotated
from geomill.processes import File, Progress, process

@process
def nap(text: str, seconds: float = 0.0) -> str:
    """Sleep, and give the text."""
    time.sleep(seconds)
    return text

@process
def write(text: str, seconds: float = 0.0) -> Annotated[Path, File("The text, many times", "text/plain")]:
    """Write a file, slowly, and leave a child behind that nobody asked for."""
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
        os._exit(0)
    path = Path("text.txt")
    with path.open("w") as file:
        for _ in range(100):
            file.write(text + "\\n")
            file.flush()
            time.sleep(seconds / 100)
    return path

@process
def hold(progress: Progress) -> int:
    """Say so, ignore every wish, and wait for longer than anybody."""
    for run in (lambda: None, os.setsid):
        if os.fork() == 0:
            run()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
            os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    progress(10, "holding")
    time.sleep(600)
    return 0
'''


@dataclass
class Server:
    """One home, one port, and whatever serves them now; `lock` is held by who ends or starts it."""

    root: Path
    port: int
    prefix: Sequence[str]
    given: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """As the server has them."""
        return Settings(home=Path(self.given["home"]), runtime_dir=Path(self.given["runtime_dir"]))

    @property
    def store(self) -> JobStore:
        """The store, as another process sees it."""
        return JobStore(self.settings.home, self.settings.runtime_dir)

    @property
    def engine(self) -> Engine:
        """What a worker would ask the dispatcher with."""
        return Engine(self.settings, self.store)

    def start(self) -> None:
        """Start it, again and again while the port is still held by workers of the last one."""
        deadline = time.monotonic() + 30
        path = self.root / "server.log"
        while True:
            with path.open("ab") as log:
                said = log.tell()
                self.process = started = subprocess.Popen(
                    [*self.prefix, *COMMAND, "serve", "--port", str(self.port)],
                    env=environ(self.given) | {"HOME": str(self.root)}, cwd=self.root, stdout=log, stderr=log,
                )  # fmt: skip

            def listens() -> bool:
                return b" listens on " in path.read_bytes()[said:]  # noqa: B023

            if holds(lambda: started.poll() is not None or listens(), 20) and started.poll() is None:  # noqa: B023
                return
            assert time.monotonic() < deadline, f"the server does not start: see {path}"
            self.end(signal.SIGKILL)
            time.sleep(0.1)

    def end(self, number: signal.Signals) -> None:
        """Signal the master, and wait until it has gone."""
        assert self.process
        with suppress(OSError):
            os.kill(self.process.pid, number)
        self.process.wait(30)

    def retire(self) -> None:
        """Stop the server and its dispatcher in order."""
        self.end(signal.SIGTERM)
        self.engine.retire()


def tree() -> list[int]:
    """Everything that the server has started, and what that has: this process adopts all orphans."""
    return [pid for pid in reaper.descendants(os.getpid()) if leaks.running_name(pid)]


def reap(server: Server) -> None:
    """Collect orphans that have ended; the master is collected by who starts and ends it."""
    for pid in reaper.children(os.getpid()):
        if not leaks.running_name(pid) and not (server.process and pid == server.process.pid):
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


@contextmanager
def fresh(
    *, user: int | None, prefix: Sequence[str] = (), code: str = PROCESSES, **more: str
) -> Iterator[Server]:
    """A server over a new home.

    user: who runs it, if not this user; prefix: a command that runs it; code: of its process file; more: settings.
    """
    root = Path(tempfile.mkdtemp(prefix="geomill-chaos-", dir="/tmp"))  # sockets need short paths, and users ways in
    (root / "processes").mkdir()
    (root / "processes" / "mine.py").write_text(code)
    for path in (root, root / "processes"):
        path.chmod(0o755)
    given = {
        "home": str(root / "home"), "runtime_dir": str(root / "run"), "processes": str(root / "processes"),
        "grace": "0.1", "max_running": "4", "isolation": "none", "min_free_bytes": "0", "stop_wait": "3", **more,
    }  # fmt: skip
    if user is not None:
        os.chown(root, user, user)
        prefix = (*prefix, *as_user(user))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(root, free.getsockname()[1], prefix, given)
    server.start()
    yield server


@contextmanager
def ended(server: Server) -> Iterator[None]:
    """Nothing of the server is there afterwards, whatever happened."""
    try:
        yield
    finally:
        holds(lambda: [_kill(pid) for pid in tree()] == [] and reap(server) is None)


def _kill(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def as_user(user: int) -> tuple[str, ...]:
    """Runs a command as an ordinary user, to whom the Python of these tests is shown even if it lies in /root."""
    here = Path(__file__).resolve().parents[2]
    lines = ["set -e"]
    shown = {Path(sys.base_prefix).resolve(), here, Path(sys.prefix).resolve()}
    closed = {next(each for each in (*reversed(path.parents), path) if not each.stat().st_mode & 0o001): path
              for path in shown if any(not each.stat().st_mode & 0o001 for each in (*path.parents, path))}  # fmt: skip
    for number, (top, path) in enumerate(closed.items()):
        kept = f"/run/geomill-chaos-{os.getpid()}-{number}"
        lines += [
            f"mkdir -p {kept}", f"mount --bind {shlex.quote(str(path))} {kept}",
            f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(top))}", f"mkdir -p {shlex.quote(str(path))}",
            f"mount --move {kept} {shlex.quote(str(path))}", f"rmdir {kept}",
        ]  # fmt: skip
    drop = f"exec setpriv --reuid={user} --regid={user} --clear-groups -- " + '"$@"'
    return ("unshare", "--mount", "--", "sh", "-c", "\n".join([*lines, drop]), "sh")
