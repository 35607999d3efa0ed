"""The dispatcher: one warm process per home that starts accepted jobs in fair order and notices lost ones.

It is elected by a lock whose descriptor its starter hands over, listens on a socket in the runtime directory, and
never blocks: what may hang is somebody else's work. Everything it knows is derived from the job folders, so that the
next dispatcher knows it too.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from geomill.app.config import Settings
from geomill.app.engine import isolation, reaper
from geomill.app.engine.queue import Capacity, Demand, FairQueue
from geomill.app.engine.templates import LIBRARIES, Template
from geomill.jobstore import InvalidTransition, JobStore, NoSuchJob, Status
from geomill.jobstore.store import boot_id

ELECTION, SERVING, SOCKET, LOG = "election", "serving", "dispatcher.sock", "dispatcher.log"
RETIRE_AFTER = 10.0  # seconds without a server, a waiting job or a running one
TICK = 0.5
RECONCILE_EVERY = 2.0


@dataclass
class Running:
    """A job that has a supervisor. pidfd: None until it is known; kill_at: when patience with a dismissal ends."""

    demand: Demand
    template: str
    asked: float
    pid: int | None = None
    start_time: int | None = None
    pidfd: int | None = None
    kill_at: float | None = None


class Dispatcher:
    """The dispatcher process. `_on_<op>` answers a message, the rest follows the life of a job."""

    def __init__(self, settings: Settings, store: JobStore) -> None:
        """Listen first, then look for work: whoever could not reach the socket has left his job in the store."""
        self.settings, self.store = settings, store
        self.runtime = settings.runtime_dir
        self.selector = selectors.DefaultSelector()
        self.queue = FairQueue()
        self.running: dict[str, Running] = {}
        self.waiting_clients: dict[str, list[socket.socket]] = {}
        self.templates: dict[str, Template] = {}
        self.template_of: dict[str, str] = {}
        cores = float(max(os.cpu_count() or 1, settings.max_running))
        self.capacity = Capacity(settings.max_running, cores, settings.memory)
        self.alone_since: float | None = None
        self.retired = False
        self.reconciled = 0.0
        self.rebuild: int | None = None
        self.chores: set[int] = set()
        self.pause_until = 0.0  # no job is started before, since a template died young
        self._listen()

    def run(self) -> None:
        """Serve until retired."""
        self._template("base")
        self._reconcile()
        while not self.retired:
            for key, _ in self.selector.select(TICK):
                key.data()
            self._start_jobs()
            self._tick()
        with suppress(OSError):
            (self.runtime / SOCKET).unlink()

    # ---- talking

    def _listen(self) -> None:
        path = self.runtime / SOCKET
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        building = path.with_suffix(f".{os.getpid()}")
        self.listener.bind(str(building))
        self.listener.listen(512)
        self.listener.setblocking(False)
        os.replace(building, path)
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            client, _ = self.listener.accept()
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: socket.socket) -> None:
        """One JSON line a message; a client that closed, or sent none, is forgotten."""
        try:
            lines = client.recv(65536).splitlines()
            for line in lines:
                message = json.loads(line)
                answer = getattr(self, f"_on_{message['op']}")(client, message)
                if answer is not None:
                    self._send(client, answer)
        except BlockingIOError:
            return
        except (OSError, ValueError, KeyError, AttributeError):
            lines = []
        if not lines:
            self._forget(client)

    def _send(self, client: socket.socket, answer: dict[str, Any]) -> None:
        try:
            client.send(json.dumps(answer).encode() + b"\n")
        except OSError:
            self._forget(client)

    def _tell(self, job_id: str, answer: dict[str, Any]) -> None:
        """Answer those who wait for this job to begin."""
        for client in self.waiting_clients.pop(job_id, []):
            self._send(client, answer)

    def _forget(self, client: socket.socket) -> None:
        with suppress(KeyError, ValueError):
            self.selector.unregister(client)
        for waiting in self.waiting_clients.values():
            if client in waiting:
                waiting.remove(client)
        client.close()

    def _on_start(self, client: socket.socket, message: dict[str, Any]) -> dict[str, Any] | None:
        job_id = message["job"]
        started = self.running.get(job_id)
        if started is None:
            self._enqueue(job_id)
        if not message.get("wait"):
            return None
        if started is not None and started.pid is not None:
            return {"job": job_id, "pid": started.pid, "start_time": started.start_time}
        if started is None and job_id not in self.queue:
            return {"job": job_id, "ended": True}
        self.waiting_clients.setdefault(job_id, []).append(client)
        return None

    def _on_place(self, client: socket.socket, message: dict[str, Any]) -> dict[str, Any]:
        return {"place": self.queue.place(message["job"])}

    def _on_dismiss(self, client: socket.socket, message: dict[str, Any]) -> None:
        """A worker has asked a job to end and gives up waiting: end it by force."""
        self.queue.discard(message["job"])
        self._tell(message["job"], {"job": message["job"], "ended": True})
        running = self.running.get(message["job"])
        if running is not None:
            running.kill_at = time.monotonic()

    def _on_sweep(self, client: socket.socket, message: dict[str, Any]) -> dict[str, Any]:
        """A worker found a supervisor gone and asks whether anything of the job is left."""
        self._sweep()
        return {"swept": True}

    def _on_hello(self, client: socket.socket, message: dict[str, Any]) -> dict[str, Any]:
        """Two servers of one home with other versions or settings: the newcomer's dispatcher takes over."""
        if message.get("digest") not in (None, identity(self.settings)):
            self.retired = True
        return {"pid": os.getpid(), "digest": identity(self.settings), "queued": len(self.queue),
                "running": len(self.running), "templates": sorted(self.templates)}  # fmt: skip

    def _on_retire(self, client: socket.socket, message: dict[str, Any]) -> None:
        self.retired = True

    # ---- starting

    def _enqueue(self, job_id: str) -> None:
        if job_id in self.queue or job_id in self.running:
            return
        try:
            if self.store.status(job_id).status is not Status.ACCEPTED:
                return
            job = self.store.job(job_id)
        except (NoSuchJob, ValueError):
            return
        limits = job.limits
        self.template_of[job_id] = job.template if job.template in LIBRARIES else "base"
        self.queue.add(Demand(job_id, job.owner, job.process_id, limits.cpus, limits.memory, limits.max_running))

    def _start_jobs(self) -> None:
        if time.monotonic() < self.pause_until:
            return
        while demand := self.queue.next((each.demand for each in self.running.values()), self.capacity):
            name = self.template_of.pop(demand.job_id, "base")
            self.running[demand.job_id] = Running(demand, name, time.monotonic())
            self.store.index.begin(demand.job_id)
            try:
                self._template(name).start(demand.job_id)
            except OSError:
                self._template_ended(name)
                return

    def _template(self, name: str) -> Template:
        if name not in self.templates:
            template = self.templates[name] = Template(name, self.store, self.settings)
            self.selector.register(template.socket, selectors.EVENT_READ, lambda: self._on_template(name))
        return self.templates[name]

    def _on_template(self, name: str) -> None:
        try:
            answer = self.templates[name].answer()
        except BlockingIOError:
            return
        except OSError:
            answer = None
        if answer is None:
            self._template_ended(name)
        else:
            self._started(*answer)

    def _started(self, job_id: str, pid: int, start_time: int) -> None:
        running = self.running.get(job_id)
        if running is None:
            return
        running.pid, running.start_time = pid, start_time
        self._tell(job_id, {"job": job_id, "pid": pid, "start_time": start_time})
        running.pidfd = reaper.open_process(pid, start_time)
        if running.pidfd is None:
            self._ended(job_id)
        else:
            self.selector.register(running.pidfd, selectors.EVENT_READ, lambda: self._ended(job_id))

    def _template_ended(self, name: str) -> None:
        """A template was lost. Its supervisors live on; what it had not begun is found again by reconciling."""
        template = self.templates.pop(name, None)
        if template is None:
            return
        self.selector.unregister(template.socket)
        template.socket.close()
        if time.monotonic() - template.born < 5:
            self.pause_until = time.monotonic() + 1
        for job_id, running in list(self.running.items()):
            if running.template == name and running.pid is None:
                self._adopt(job_id, running)

    def _adopt(self, job_id: str, running: Running) -> None:
        """Find the supervisor of a job by what its status says, or let it wait again."""
        with suppress(NoSuchJob):
            info = self.store.status(job_id)
            if info.status is Status.RUNNING and info.pid and info.start_time:
                return self._started(job_id, info.pid, info.start_time)
        del self.running[job_id]
        self._enqueue(job_id)

    # ---- ending

    def _ended(self, job_id: str) -> None:
        """A supervisor has gone: with a final status, or lost."""
        running = self.running.pop(job_id)
        if running.pidfd is not None:
            self.selector.unregister(running.pidfd)
            os.close(running.pidfd)
        self._tell(job_id, {"job": job_id, "ended": True})
        with suppress(NoSuchJob, InvalidTransition):
            info = self.store._read_status(job_id)
            if info.status.final:
                self.store.index.put(info)
            else:
                self._sweep()
                if info.status is Status.RUNNING:
                    self.store.fail_lost(info)
                else:
                    message = "the supervisor ended before the job began"
                    self.store.move(job_id, Status.FAILED, cause="lost", message=message)
            self._tidy(job_id)

    def _tidy(self, job_id: str) -> None:
        """Remove what a lost supervisor left; there may be much of it."""
        work = self.store.folder(job_id) / "work"
        if work.exists():
            self.chores.add(self._fork(lambda: shutil.rmtree(work, ignore_errors=True)))

    def _sweep(self) -> None:
        """Kill what lost its supervisor, and wait until it is gone; half a second at most.

        That is: a child of this subreaper that is neither template, chore nor supervisor.
        """
        deadline = time.monotonic() + 0.5
        while orphans := self._orphans():
            reaper.kill_tree(orphans)
            self._reap()
            if time.monotonic() > deadline:
                break
            time.sleep(0.001)

    def _orphans(self) -> list[int]:
        children = reaper.children(os.getpid())
        ours: set[int | None] = {template.pid for template in self.templates.values()} | {self.rebuild} | self.chores
        ours |= {running.pid for running in self.running.values()}
        if any(running.pid is None for running in self.running.values()):
            ours |= self._supervisors_by_status()
        return [pid for pid in children if pid not in ours]

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self.chores.discard(pid)
                if pid == self.rebuild:
                    self.rebuild, self.reconciled = None, 0.0

    def _supervisors_by_status(self) -> set[int | None]:
        pids: set[int | None] = set()
        for job_id, running in self.running.items():
            if running.pid is None:
                with suppress(NoSuchJob):
                    pids.add(self.store._read_status(job_id).pid)
        return pids

    # ---- time passing

    def _tick(self) -> None:
        moment = time.monotonic()
        self._reap()
        for running in list(self.running.values()):
            if running.kill_at is not None and running.kill_at <= moment and running.pidfd is not None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
        if moment - self.reconciled >= RECONCILE_EVERY:
            self._reconcile()
            self._sweep()
        idle = not self.queue and moment > self.pause_until and moment - self.reconciled < TICK
        if idle and "geo" not in self.templates:
            self._template("geo")
        self._maybe_retire(moment)

    def _reconcile(self) -> None:
        """Take up what the folders say and no message said: after a start, a lost message, a killed worker."""
        self.reconciled = time.monotonic()
        if not self.store.index.sound(boot_id()):
            if self.rebuild is None:
                self.rebuild = self._fork(self.store.repair_index)
            return
        for job_id in self._newest_unindexed():
            with suppress(NoSuchJob, ValueError):
                self.store.index.put(self.store._read_status(job_id))
        for job_id, _ in self.store.index.ids(Status.ACCEPTED):
            self._enqueue(job_id)
        for job_id, _ in self.store.index.ids(Status.RUNNING):
            if job_id not in self.running:
                self._take_over(job_id)
        for job_id, running in list(self.running.items()):
            if running.pid is None and time.monotonic() - running.asked > 10 * RECONCILE_EVERY:
                self._adopt(job_id, running)

    def _take_over(self, job_id: str) -> None:
        """A job that an earlier dispatcher started."""
        try:
            info = self.store.status(job_id)
            job = self.store.job(job_id)
        except (NoSuchJob, ValueError):
            self.store.index.delete(job_id)
            return
        if info.status is not Status.RUNNING or info.pid is None or info.start_time is None:
            self.store.index.put(info)
            self._tidy(job_id)
            return
        limits = job.limits
        demand = Demand(job_id, job.owner, job.process_id, limits.cpus, limits.memory, limits.max_running)
        self.running[job_id] = Running(demand, job.template, time.monotonic())
        self._started(job_id, info.pid, info.start_time)
        if info.dismissing and job_id in self.running:
            self.running[job_id].kill_at = time.monotonic() + self.settings.grace + 2

    def _newest_unindexed(self) -> list[str]:
        """Jobs of the newest shards that a killed worker did not note."""
        found: list[str] = []
        lately = f"{int((time.time() - 60) * 1000):012x}"
        lately = f"{lately[:8]}-{lately[8:]}"
        for shard in sorted(os.listdir(self.store.jobs))[-2:]:
            with suppress(OSError):
                folder = self.store.jobs / shard
                if time.time() - folder.stat().st_mtime < 10 * RECONCILE_EVERY:
                    found += [name for name in os.listdir(folder) if not name.startswith(".") and name >= lately]
        return [job_id for job_id in found if not self.store.index.knows(job_id)]

    def _fork(self, run: Any) -> int:
        """A chore: a child of its own for what takes long; without the election lock, so that we can be succeeded."""
        self.store.index.close()
        pid = os.fork()
        if pid == 0:
            try:
                isolation.close_all_but([0, 1, 2])
                run()
            finally:
                os._exit(0)
        return pid

    def _maybe_retire(self, moment: float) -> None:
        """Nobody serves this home any more, and nothing is left to do."""
        if self.queue or self.running or self._served():
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = moment
        elif moment - self.alone_since >= RETIRE_AFTER:
            self.retired = True

    def _served(self) -> bool:
        descriptor = os.open(self.runtime / SERVING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)


def identity(settings: Settings) -> str:
    """Equal for two servers whose dispatchers would do the same."""
    from importlib.metadata import version

    return f"{version('geomill')} {settings.digest()}"


def main() -> None:
    """Be the dispatcher: settings as JSON on standard input; the argument is the election lock's descriptor, held."""
    settings = Settings.from_json(sys.stdin.read())
    os.chdir("/")
    isolation.adopt_orphans()
    isolation.set_name("geomill-dispatch")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from geomill.app.engine.client import open_store

    dispatcher = Dispatcher(settings, open_store(settings))
    signal.signal(signal.SIGTERM, lambda *_: setattr(dispatcher, "retired", True))
    dispatcher.run()


if __name__ == "__main__":
    main()

