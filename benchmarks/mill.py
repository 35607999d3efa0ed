"""The server that is measured: `geomill serve` with a temporary home on disk, its clients, and what it costs."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from examples import backstage
from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.app.engine.client import Engine, open_store
from geomill.jobstore import JobStore, NoSuchJob, Status

MINE = Path(__file__).with_name("mine")
FINAL = ("successful", "failed", "dismissed")
ASYNC = {"Prefer": "respond-async"}


@dataclass(frozen=True)
class Reply:
    """An answer to a request."""

    status: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Client:
    """One connection that is kept alive."""

    def __init__(self, url: str) -> None:
        """url: of the landing page."""
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=120)
        self._used = 0.0

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        """One request; the server lets go of a connection that is idle for two seconds."""
        if time.monotonic() - self._used > 1.5:
            self.close()
            self._connection.connect()
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        reply = Reply(answer.status, answer.headers, answer.read())
        self._used = time.monotonic()
        return reply

    def expect(self, code: int, method: str, path: str, *more: Any) -> Reply:
        """One request that has to be answered with this status."""
        reply = self.call(method, path, *more)
        backstage.expect(reply.status == code, f"{method} {path} answered {reply.status}: {reply.body[:300]!r}")
        return reply

    def execute(self, process: str, inputs: dict[str, Any]) -> str:
        """The id of a new asynchronous job."""
        reply = self.expect(201, "POST", f"/processes/{process}/execution", body(inputs), ASYNC)
        return str(reply.json()["jobID"])

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


@dataclass(frozen=True)
class Mill:
    """A server that runs. master: the pid of gunicorn's master; place: a folder that goes with it."""

    url: str
    master: int
    settings: Settings
    place: Path
    store: JobStore

    def client(self) -> Client:
        """A connection of one's own."""
        return Client(self.url)

    def status(self, job_id: str) -> dict[str, Any]:
        """What status.json says; asks the disk, so that waiting is no load on the server."""
        content: dict[str, Any] = json.loads((self.store.folder(job_id) / "status.json").read_bytes())
        return content

    def wait(self, job_id: str, *wanted: str) -> dict[str, Any]:
        """The status of a job as soon as it is as wanted, or final."""
        wanted += FINAL
        found: dict[str, Any] = until(lambda: (status := self.status(job_id))["status"] in wanted and status)
        return found

    def dispatcher(self) -> int:
        """The pid of the dispatcher."""
        engine = Engine(self.settings, self.store)
        return int(until(lambda: engine.ask({"op": "hello"}, 2.0))["pid"])

    def family(self) -> dict[str, list[int]]:
        """The pids of master, workers, dispatcher and templates; a job that runs is not among them."""
        dispatcher = self.dispatcher()
        pids = {"master": [self.master], "worker": reaper.children(self.master), "dispatcher": [dispatcher]}
        for pid in reaper.children(dispatcher):
            if name := name_of(pid):
                pids.setdefault(f"template {name.removeprefix('geomill-')}", []).append(pid)
        return pids

    def spares(self) -> list[int]:
        """The pids of what waits for a job: it is called like its template until it has one."""
        templates = [pid for name, pids in self.family().items() if name.startswith("template") for pid in pids]
        return [pid for each in templates for pid in reaper.descendants(each) if name_of(pid) == name_of(each)]

    def warm_up(self) -> None:
        """Wait until the dispatcher has started what it starts when idle: loading the libraries takes a processor."""
        (geo,) = until(lambda: self.family().get("template geo"))
        taken = -1.0
        while (now := cpu_seconds(geo)) > taken:
            taken = now
            time.sleep(0.5)

    def cpu(self) -> dict[str, float]:
        """Milliseconds of processor time that master, workers, dispatcher and templates have taken so far."""
        return {name: 1000 * sum(map(cpu_seconds, pids)) for name, pids in self.family().items()}


@contextmanager
def serving(prepare: Callable[[JobStore], None] | None = None, allow: str = "", *options: str) -> Iterator[Mill]:
    """Start a server with the default settings, whose home goes with this process.

    prepare: fills its store before; allow: where inputs may come from; options: of `geomill serve`.
    """
    place = Path(tempfile.mkdtemp(prefix="geomill-bench-", dir="/tmp")).resolve()  # sockets need a short path
    # not earlier: ext4 without a journal passes over what was freed in the last minute, file by file, at every new file
    atexit.register(shutil.rmtree, place)
    settings = Settings(home=place / "home", runtime_dir=place / "run", processes=(MINE,))
    (place / "geomill.toml").write_text(f'processes = ["{MINE}"]\n')
    store = open_store(settings)
    if prepare:
        prepare(store)
    with open(place / "log", "wb") as log:
        server = backstage.start(settings, allow, options, place, log.fileno())
    try:
        yield Mill(backstage.address(server, place / "log"), server.pid, settings, place, store)
    finally:
        end_jobs(Engine(settings, store))
        backstage.stop(server, settings)


def end_jobs(engine: Engine) -> None:
    """Dismiss what has not ended: it would go on without the server."""
    for status in (Status.ACCEPTED, Status.RUNNING):
        for job_id, _ in engine.store.index.ids(status):
            with suppress(NoSuchJob):
                engine.dismiss(job_id)


def body(inputs: dict[str, Any]) -> bytes:
    """The body of an execution."""
    return json.dumps({"inputs": inputs}).encode()


def until(ask: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first answer that is true. Raises Failed when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        backstage.expect(time.monotonic() < deadline, f"nothing happened in {seconds:g} s")
        time.sleep(0.002)
    return answer


def name_of(pid: int) -> str:
    """What `ps` shows for a process; empty when it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process, to the nanosecond, where /proc/PID/stat counts in hundredths."""
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)
    return 0.0


def pss(pid: int) -> float:
    """Megabytes of memory of a process, shared pages by their share."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
