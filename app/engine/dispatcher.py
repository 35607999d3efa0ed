"""The dispatcher: one warm process per home, for all tenants: starts accepted jobs in fair order, notices lost ones.

It is elected by a lock whose descriptor its starter hands over, listens on a socket in the runtime directory, and
never blocks: what may hang is somebody else's work. Everything it knows is derived from the job folders, so that the
next dispatcher knows it too.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import sqlite3
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from geomill.app.config import Settings
from geomill.app.engine import isolation, reaper
from geomill.app.engine.children import Children
from geomill.app.engine.listener import Client, Listener
from geomill.app.engine.queue import Capacity, Demand, FairQueue
from geomill.app.engine.stores import Stores, latest, read_job, read_status, repair_indexes
from geomill.app.engine.templates import LIBRARIES, Template
from geomill.jobstore import InvalidTransition, Job, JobStore, NoSuchJob, Status, StoreBusy, files
from geomill.jobstore.store import boot_id

ELECTION, SERVING, SOCKET, LOG = "election", "serving", "dispatcher.sock", "dispatcher.log"
REBUILD = "rebuild the index"  # a chore
RETIRE_AFTER = 10.0  # seconds without a server, a waiting job or a running one
TICK = 0.5
PATIENCE = 0.1  # seconds to wait for a job that somebody writes; there is always another time
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
    """The dispatcher process. `_on_...` answers a message, the rest follows the life of a job."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        """Listen first, then look for work: whoever could not reach the socket has left his job in a store."""
        self.settings, self.stores = settings, stores
        self.runtime, self.identity = settings.runtime_dir, identity(settings)
        self.selector = selectors.DefaultSelector()
        self.queue = FairQueue()
        self.running: dict[str, Running] = {}
        self.templates: dict[str, Template] = {}
        self.template_of: dict[str, str] = {}
        cores = float(max(os.cpu_count() or 1, settings.max_running))
        self.capacity = Capacity(settings.max_running, cores, settings.memory)
        self.alone_since: float | None = None
        self.retired = False
        self.reconciled = 0.0
        self.pause_until = 0.0  # no job is started before, since a template died young
        self.children = Children(self._known_children, stores.close_indexes)
        operations = {
            "start": self._on_start, "place": self._on_place, "dismiss": self._on_dismiss, "sweep": self._on_sweep,
            "hello": self._on_hello, "retire": self._on_retire,
        }  # fmt: skip
        self.listener = Listener(self.runtime / SOCKET, self.selector, operations)

    def run(self) -> None:
        """Serve until retired."""
        self._template("base")
        self._reconcile()
        self.children.fork("collect", self.stores.collect)
        while not self.retired:
            for key, _ in self.selector.select(TICK):
                key.data()
            self._start_jobs()
            self._tick()
        self.listener.close()

    # ---- talking

    def _on_start(self, client: Client, message: dict[str, Any]) -> dict[str, Any] | None:
        job_id = message["job"]
        started = self.running.get(job_id)
        if started is None:
            self._enqueue(self.stores[message["tenant"]], job_id)
        if not message.get("wait"):
            return None
        if started is not None and started.pid is not None:
            return {"job": job_id, "pid": started.pid, "start_time": started.start_time}
        if started is None and job_id not in self.queue:
            return {"job": job_id, "ended": True}
        self.listener.keep_waiting(job_id, client)
        return None

    def _on_place(self, client: Client, message: dict[str, Any]) -> dict[str, Any]:
        return {"place": self.queue.place(message["job"])}

    def _on_dismiss(self, client: Client, message: dict[str, Any]) -> None:
        """A worker has asked a job to end and gives up waiting: end it by force."""
        self.queue.discard(message["job"])
        self.listener.tell(message["job"], {"job": message["job"], "ended": True})
        running = self.running.get(message["job"])
        if running is not None:
            running.kill_at = time.monotonic()

    def _on_sweep(self, client: Client, message: dict[str, Any]) -> dict[str, Any]:
        """A worker found a supervisor gone and asks whether anything of the job is left."""
        self.children.sweep()
        return {"swept": True}

    def _on_hello(self, client: Client, message: dict[str, Any]) -> dict[str, Any]:
        """Two servers of one home with other versions or settings: the newcomer's dispatcher takes over."""
        if message.get("digest") not in (None, self.identity):
            self.retired = True
        return {"pid": os.getpid(), "digest": self.identity, "queued": len(self.queue),
                "running": len(self.running), "templates": sorted(self.templates)}  # fmt: skip

    def _on_retire(self, client: Client, message: dict[str, Any]) -> None:
        self.retired = True

    # ---- starting

    def _enqueue(self, store: JobStore, job_id: str) -> None:
        if job_id in self.queue or job_id in self.running:
            return
        info, job = read_status(store, job_id), read_job(store, job_id)
        if info is not None and info.status is not Status.ACCEPTED:
            self._take_over(store, job_id)  # an earlier dispatcher started it, and did not come to note that
        elif info is not None and job is not None:
            self.template_of[job_id] = _template_of(job)
            self.queue.add(_demand(store, job))

    def _start_jobs(self) -> None:
        if time.monotonic() < self.pause_until:
            return
        while demand := self.queue.next((each.demand for each in self.running.values()), self.capacity):
            name = self.template_of.pop(demand.job_id, "base")
            self.running[demand.job_id] = Running(demand, name, time.monotonic())
            try:
                self._template(name).start(demand.tenant, demand.job_id)
            except OSError:
                self._template_ended(name)
                return
            self.stores[demand.tenant].index.begin(demand.job_id)  # the job need not wait for that

    def _template(self, name: str) -> Template:
        if name not in self.templates:
            self.stores.close_indexes()
            template = self.templates[name] = Template(name, self.stores.default, self.settings)
            self.selector.register(template.socket, selectors.EVENT_READ, lambda: self._on_template(name))
        return self.templates[name]

    def _on_template(self, name: str) -> None:
        if name not in self.templates:
            return
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
        self.listener.tell(job_id, {"job": job_id, "pid": pid, "start_time": start_time})
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
        store = self.stores[running.demand.tenant]
        info = read_status(store, job_id)
        if info is not None and info.status is Status.RUNNING and info.pid and info.start_time:
            return self._started(job_id, info.pid, info.start_time)
        del self.running[job_id]
        self._enqueue(store, job_id)

    # ---- ending

    def _ended(self, job_id: str) -> None:
        """A supervisor has gone: with a final status, or lost."""
        running = self.running.pop(job_id)
        if running.pidfd is not None:
            self.selector.unregister(running.pidfd)
            os.close(running.pidfd)
        self.listener.tell(job_id, {"job": job_id, "ended": True})
        store = self.stores[running.demand.tenant]
        info = read_status(store, job_id)
        if info is None:
            return
        if info.status is Status.RUNNING and info.pid != running.pid:
            return self._take_over(store, job_id)  # another template's supervisor was faster
        with suppress(NoSuchJob, InvalidTransition, StoreBusy):  # the next look at the folders finds it again
            if info.status.final:
                store.index.put(info)
            else:
                self.children.sweep()
                if info.status is Status.ACCEPTED and store.has_supervisor(job_id):
                    return  # of a server that does not know of us
                if info.status is Status.RUNNING:
                    if running.kill_at is not None:  # that is how it was to end
                        store.ask_dismissal(job_id)
                    store.fail_lost(info)
                else:
                    message = "the supervisor ended before the job began"
                    store.move(job_id, Status.FAILED, cause="lost", message=message)
        self._tidy(store, job_id)

    def _tidy(self, store: JobStore, job_id: str) -> None:
        """Remove what a lost supervisor left, or keep it for a retry; there may be much of it."""
        work = store.folder(job_id) / "work"
        if work.exists():
            self.children.fork(f"tidy {job_id}", lambda: store.clear(job_id, keep=True))

    def _known_children(self) -> set[int]:
        """Templates and supervisors. One that a template has just forked may be known by its status alone."""
        pids = {template.pid for template in self.templates.values()}
        for job_id, running in self.running.items():
            info = read_status(self.stores[running.demand.tenant], job_id) if running.pid is None else None
            pids.add(info.pid or 0 if info else running.pid or 0)
        return pids

    # ---- time passing

    def _tick(self) -> None:
        moment = time.monotonic()
        if REBUILD in self.children.reap():
            self.reconciled = 0.0
        for running in list(self.running.values()):
            if running.kill_at is not None and running.kill_at <= moment and running.pidfd is not None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
        if moment - self.reconciled >= RECONCILE_EVERY:
            if not self.listener.can_be_found():  # the runtime directory is another now
                self.retired = True
                return
            self._reconcile()
            self.children.sweep()
        idle = not self.queue and moment > self.pause_until and moment - self.reconciled < TICK
        if idle and "geo" not in self.templates:
            self._template("geo")
        elif idle and "cwl" not in self.templates and self._has_packages():
            self._template("cwl")
        self._maybe_retire(moment)

    def _has_packages(self) -> bool:
        """Whether somebody may want to run one."""
        return any(self.settings.home.glob("*/processes/*.json"))

    def _reconcile(self) -> None:
        """Take up what the folders say and no message said: after a start, a lost message, a killed worker."""
        self.reconciled = time.monotonic()
        stores = self.stores.there()
        unsound = [store for store in stores if not store.index.sound(boot_id())]
        if unsound and not self.children.at(REBUILD):
            self.children.fork(REBUILD, lambda: repair_indexes(unsound))
        for store in stores:
            if store not in unsound:
                with suppress(sqlite3.Error):  # then it is not sound the next time
                    self._reconcile_with(store)
        for job_id, running in list(self.running.items()):
            if running.pid is None and time.monotonic() - running.asked > 10 * RECONCILE_EVERY:
                self._adopt(job_id, running)

    def _reconcile_with(self, store: JobStore) -> None:
        for job_id in latest(store):
            known = job_id in self.queue or job_id in self.running or store.index.knows(job_id)
            if not known and (info := read_status(store, job_id)):
                store.index.put(info)
        for job_id, _ in store.index.ids(Status.ACCEPTED):
            self._enqueue(store, job_id)
        for job_id, _ in store.index.ids(Status.RUNNING):
            if job_id not in self.running:
                self._take_over(store, job_id)

    def _take_over(self, store: JobStore, job_id: str) -> None:
        """A job that an earlier dispatcher started, or that ended while nobody looked."""
        info, job = read_status(store, job_id), read_job(store, job_id)
        if info is None or job is None:
            if not store.folder(job_id).exists():
                store.index.delete(job_id)
            return
        if info.status is Status.RUNNING and store.lost(info):
            with suppress(StoreBusy):
                info = store.fail_lost(info)
        store.index.put(info)
        if info.status is not Status.RUNNING or info.pid is None or info.start_time is None:
            self._tidy(store, job_id)
            return
        self.running[job_id] = Running(_demand(store, job), _template_of(job), time.monotonic())
        self._started(job_id, info.pid, info.start_time)
        if info.dismissing and job_id in self.running:
            self.running[job_id].kill_at = time.monotonic() + self.settings.grace + 2

    def _maybe_retire(self, moment: float) -> None:
        """Nobody serves this home any more, and nothing is left to do."""
        if self.queue or self.running or files.is_locked(self.runtime / SERVING, kind=fcntl.LOCK_EX):
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = moment
        elif moment - self.alone_since >= RETIRE_AFTER:
            self.retired = True


def _demand(store: JobStore, job: Job) -> Demand:
    limits = job.limits
    asked = (limits.cpus, limits.memory, limits.max_running)
    return Demand(job.job_id, job.owner, job.process_id, *asked, tenant=store.tenant)


def _template_of(job: Job) -> str:
    return job.template if job.template in LIBRARIES else "base"


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

    store = open_store(settings)
    store.locks.patience = PATIENCE
    dispatcher = Dispatcher(settings, Stores(store))
    signal.signal(signal.SIGTERM, lambda *_: setattr(dispatcher, "retired", True))
    dispatcher.run()


if __name__ == "__main__":
    main()

