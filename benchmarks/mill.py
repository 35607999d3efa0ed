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
from pathlib import Path
from typing import Any

from benchmarks.client import Client
from benchmarks.measuring import cpu_seconds
from examples import backstage
from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.app.engine.client import Engine, open_store
from geomill.jobstore import JobStore, NoSuchJob, Status

MINE = Path(__file__).with_name("mine")
FINAL = ("successful", "failed", "dismissed")


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

    def wait(self, job_id: str, *wanted: str, every: float = 0.002) -> dict[str, Any]:
        """The status of a job as soon as it is as wanted, or final. every: seconds between two looks."""
        wanted += FINAL
        found: dict[str, Any] = until(lambda: (one := self.status(job_id))["status"] in wanted and one, every=every)
        return found

    def drain(self) -> None:
        """Wait until no job waits or runs."""
        index = self.store.index
        until(lambda: not index.ids(Status.ACCEPTED) and not index.ids(Status.RUNNING), 300)

    def dispatcher(self) -> int:
        """The pid of the dispatcher."""
        engine = Engine(self.settings, self.store)
        return int(until(lambda: engine.ask({"op": "hello"}, 2.0))["pid"])

    def family(self) -> dict[str, list[int]]:
        """The pids of master, workers, dispatcher and templates; a job that runs is not among them."""
        dispatcher = self.dispatcher()
        pids = {"master": [self.master], "worker": self.workers(), "dispatcher": [dispatcher]}
        for pid in reaper.children(dispatcher):
            if name := name_of(pid):
                pids.setdefault(f"template {name.removeprefix('geomill-')}", []).append(pid)
        return pids

    def spares(self) -> list[int]:
        """The pids of what waits for a job: it is called like its template until it has one."""
        templates = [pid for name, pids in self.family().items() if name.startswith("template") for pid in pids]
        return [pid for each in templates for pid in reaper.descendants(each) if name_of(pid) == name_of(each)]

    def workers(self) -> list[int]:
        """The pids of what answers requests."""
        return reaper.children(self.master)

    def engine(self) -> list[int]:
        """The pids of dispatcher and templates, of what waits for jobs, and of the jobs."""
        dispatcher = self.dispatcher()
        return [dispatcher, *reaper.descendants(dispatcher)]

    def warm_up(self, name: str = "geo") -> None:
        """Have the dispatcher start now what it else starts when idle: loading the libraries takes a processor.

        name: of the template that is the last.
        """
        Engine(self.settings, self.store).expect(name)
        (template,) = until(lambda: self.family().get(f"template {name}"))
        taken = -1.0
        while (now := cpu_seconds(template)) > taken:
            taken = now
            time.sleep(0.5)

    def cpu(self) -> dict[str, float]:
        """Milliseconds of processor time that master, workers, dispatcher and templates have taken so far."""
        return {name: 1000 * cpu_seconds(*pids) for name, pids in self.family().items()}


def temporary() -> Path:
    """A folder for a home, which goes with this process.

    Not earlier: ext4 without a journal passes over what was freed in the last minute, file by file, at every new file.
    """
    place = Path(tempfile.mkdtemp(prefix="geomill-bench-", dir="/tmp")).resolve()  # sockets need a short path
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


def settings_of(place: Path) -> Settings:
    """Those of a server whose home is in a folder."""
    return Settings(home=place / "home", runtime_dir=place / "run", processes=(MINE,))


@contextmanager
def serving(place: Path | None = None, *options: str, allow: str = "", **settings: object) -> Iterator[Mill]:
    """Start a server with the default settings but for these.

    place: a folder with a home in it, else it begins with none; allow: where inputs may come from; options: of
    `geomill serve`; settings: by their names.
    """
    place = place or temporary()
    given = {"processes": [str(MINE)], **settings}
    (place / "geomill.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
    ours = settings_of(place)
    store = open_store(ours)
    with open(place / "log", "wb") as log:
        server = backstage.start(ours, allow, options, place, log.fileno())
    try:
        yield Mill(backstage.address(server, place / "log"), server.pid, ours, place, store)
    finally:
        end_jobs(Engine(ours, store))
        backstage.stop(server, ours)


def end_jobs(engine: Engine) -> None:
    """Let no job begin any more, and dismiss what runs: it would go on without the server."""
    store = engine.store
    for job_id, _ in store.index.ids(Status.ACCEPTED):
        shutil.rmtree(store.folder(job_id), ignore_errors=True)  # sooner done than to dismiss ten thousand
    for job_id, _ in store.index.ids(Status.RUNNING):
        with suppress(NoSuchJob):
            engine.dismiss(job_id)


def until(ask: Callable[[], Any], seconds: float = 60.0, every: float = 0.002) -> Any:
    """The first answer that is true. Raises Failed when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        backstage.expect(time.monotonic() < deadline, f"nothing happened in {seconds:g} s")
        time.sleep(every)
    return answer


def name_of(pid: int) -> str:
    """What `ps` shows for a process; empty when it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
