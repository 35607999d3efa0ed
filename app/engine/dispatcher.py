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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from geomill.app import host, immortal, loglines
from geomill.app.config import Settings
from geomill.app.engine import failing, isolation, logs, record
from geomill.app.engine.calling import Calling
from geomill.app.engine.children import Children
from geomill.app.engine.client import open_store
from geomill.app.engine.listener import Client, Listener
from geomill.app.engine.queue import Capacity, Demand, FairQueue
from geomill.app.engine.retaining import Retaining
from geomill.app.engine.room import has_room
from geomill.app.engine.running import Running, RunningJobs, demand_of
from geomill.app.engine.runtime import LOG, SERVING, SOCKET, identity
from geomill.app.engine.stores import Stores, latest, read_job, read_status, repair_indexes
from geomill.app.engine.templates import Templates
from geomill.app.engine.views import TEMPLATE as OF_VIEWERS
from geomill.app.engine.views import Views
from geomill.jobstore import (
    InvalidTransition,
    JobStore,
    NoSuchJob,
    Status,
    StatusInfo,
    StoreBusy,
    files,
    home,
    lost,
    maintenance,
)
from geomill.jobstore.alive import boot_id
from geomill.jobstore.records import now, timestamp

REBUILD = "rebuild the index"  # a chore
RETIRE_AFTER = 10.0  # seconds without a server, a waiting job or a running one
TICK = 0.5
QUIET = 10.0  # seconds without a start after which libraries are loaded that a job may want
PAUSE = 1.0  # seconds without a start, when there is no room for one
PATIENCE = 0.1  # seconds to wait for a job that somebody writes; there is always another time
RECONCILE_EVERY = 2.0
LOOK_EVERY = 20.0  # seconds: until a whole index is gone through where nobody else has written to it
log = loglines.OURS.getChild("dispatcher")  # this module is __main__


class Dispatcher:
    """The dispatcher process. `_on_...` answers a message, the rest follows the life of a job."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        """Listen first, then look for work: whoever could not reach the socket has left his job in a store."""
        self.settings, self.stores = settings, stores
        self.runtime, self.identity = settings.runtime_dir, identity(settings)
        self.selector = selectors.DefaultSelector()
        self.queue = FairQueue()
        self.running = RunningJobs(self.selector, self._ended)
        self.views = Views(
            lambda order: self.templates.want(OF_VIEWERS).view(order),
            lambda key, client: self.listener.keep_waiting(key, client),
            lambda key, answer: self.listener.tell(key, answer),
        )
        self.templates = Templates(
            self.selector, stores, settings, self._started, self._template_ended, self.views.answered
        )
        cores = float(max(os.cpu_count() or 1, settings.max_running))
        self.capacity = Capacity(settings.max_running, cores, settings.memory, settings.max_running_per_caller)
        self.begun = timestamp(now())
        self.alone_since: float | None = None
        self.retired = ""  # why
        self.ticked = self.reconciled = 0.0
        self.started_at = time.monotonic()  # the last job, or this dispatcher
        self.pause_until = 0.0  # no job is started before, since a template died young
        self.looked: dict[str, tuple[tuple[int, int], float]] = {}  # indexes, by tenant: which version, and when
        swept = partial(record.note, self.runtime, record.SWEPT)
        self.children = Children(self._known_children, stores.close_indexes, swept)
        self.retaining = Retaining(settings, stores, self.children)
        self.calling = Calling(settings, stores, self.children)
        operations = {
            "start": self._on_start, "place": self._on_place, "dismiss": self._on_dismiss, "sweep": self._on_sweep,
            "hello": self._on_hello, "retire": self._on_retire, "view": self.views.ask,
            "host": self._on_host, "expect": self._on_expect,
        }  # fmt: skip
        self.listener = Listener(self.runtime / SOCKET, self.selector, operations)

    def run(self) -> None:
        """Serve until retired."""
        self._attempt(self._begin)
        while not self.retired:
            self._attempt(self._turn)
        self.listener.close()

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do it; where a host has no processes, descriptors or disk left, the folders still say what is to be done."""
        try:
            step()
        except OSError as error:
            log.warning("no start for %g s: %s", PAUSE, error)
            self._pause()

    def _begin(self) -> None:
        record.note(self.runtime, record.STARTS)
        self.templates.want("base")
        self._reconcile()
        log.info("begins in %s; %d jobs run, %d wait", self.settings.home, len(self.running), len(self.queue))
        self.children.fork("collect", self.stores.collect)

    def _turn(self) -> None:
        for key, _ in self.selector.select(TICK):
            key.data()
        self._start_jobs()
        self._tick()

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
        return {"place": self.queue.place(message["job"], self.running.demands(), self.capacity)}

    def _on_dismiss(self, client: Client, message: dict[str, Any]) -> None:
        """A worker has asked a job to end and gives up waiting: end it by force."""
        self.queue.discard(message["job"])
        self.listener.tell(message["job"], {"job": message["job"], "ended": True})
        running = self.running.get(message["job"])
        if running is not None:
            running.kill_at = time.monotonic()

    def _on_sweep(self, client: Client, message: dict[str, Any]) -> dict[str, Any]:
        """A worker found a supervisor gone and asks whether anything of the job is left."""
        return {"swept": self.children.sweep()}

    def _on_hello(self, client: Client, message: dict[str, Any]) -> dict[str, Any]:
        """Two servers of one home with other versions or settings: the newcomer's dispatcher takes over."""
        if message.get("digest") not in (None, self.identity):
            self.retired = "a server of another version or other settings has come"
        return {"pid": os.getpid(), "since": self.begun, "digest": self.identity, "queued": len(self.queue),
                "running": len(self.running), "templates": self.templates.names(),
                "memory": sum(each.memory for each in self.running.demands())}  # fmt: skip

    def _on_host(self, client: Client, message: dict[str, Any]) -> dict[str, Any]:
        """A worker, which has threads and cannot try it, asks what this host allows."""
        return host.allows()

    def _on_expect(self, client: Client, message: dict[str, Any]) -> None:
        """A job of this template is likely to come: let it be loaded by then."""
        with suppress(OSError):
            self.templates.want(message["template"])

    def _on_retire(self, client: Client, message: dict[str, Any]) -> None:
        self.retired = "it was told to"

    # ---- starting

    def _enqueue(self, store: JobStore, job_id: str) -> None:
        if job_id in self.queue or job_id in self.running:
            return
        info, job = read_status(store, job_id), read_job(store, job_id)
        if info is not None and info.status is not Status.ACCEPTED:
            self._take_over(store, job_id)  # an earlier dispatcher started it, and did not come to note that
        elif info is not None and job is not None:
            self._wait(demand_of(store, job), info)
        elif info is not None:
            failing.give_up(store, job_id)

    def _wait(self, demand: Demand, info: StatusInfo) -> None:
        """Let a job wait, behind those that were accepted before it."""
        age = max(0.0, time.time() - info.created.timestamp())  # of a job from before the clock was set back: none
        self.queue.add(demand, time.monotonic() - age)

    def _start_jobs(self) -> None:
        if not self.queue or time.monotonic() < self.pause_until or maintenance.on(self.settings.home):
            return
        if not has_room(self.settings.home):
            return self._pause()
        while self.queue and (demand := self.queue.next(self.running.demands(), self.capacity)):
            self.running.add(demand.job_id, Running(demand))
            self.started_at = time.monotonic()
            try:
                self.templates.want(demand.template).start(demand.tenant, demand.job_id)
            except OSError:  # it has gone, or there is none to be had
                self._template_ended(demand.template)
                if running := self.running.get(demand.job_id):
                    self._adopt(demand.job_id, running)
                return self._pause()
            self.stores[demand.tenant].index.begin(demand.job_id)  # the job need not wait for that

    def _pause(self) -> None:
        """Start nothing for a while: what is used up may be back then."""
        self.pause_until = time.monotonic() + PAUSE

    def _started(self, job_id: str, pid: int, start_time: int) -> None:
        if job_id not in self.running:
            demand = self.queue.discard(job_id)
            if demand is None:
                return
            self.running.add(job_id, Running(demand))  # the template was so slow that the job was to wait again
            self.stores[demand.tenant].index.begin(job_id)
        lives = self.running.watch(job_id, pid, start_time)  # or it raises, and reconciling comes back to it
        self.listener.tell(job_id, {"job": job_id, "pid": pid, "start_time": start_time})
        if not lives:
            self._ended(job_id)

    def _template_ended(self, name: str) -> None:
        """A template was lost. Its supervisors live on; what it had not begun is found again by reconciling."""
        template = self.templates.remove(name)
        if template is None:
            return
        if name == OF_VIEWERS:
            self.views.lost()
        if time.monotonic() - template.born < 5:
            self._pause()
        for job_id, running in self.running.items():
            if running.demand.template == name and running.pid is None:
                self._adopt(job_id, running)

    def _adopt(self, job_id: str, running: Running) -> None:
        """Find the supervisor of a job by what its status says, or let it wait again."""
        store = self.stores[running.demand.tenant]
        info = read_status(store, job_id)
        runs = info is not None and info.status is Status.RUNNING and not lost.is_lost(store, info)
        if info is not None and runs and info.pid and info.start_time:
            return self._started(job_id, info.pid, info.start_time)
        self.running.remove(job_id)
        self._take_over(store, job_id)

    # ---- ending

    def _ended(self, job_id: str) -> None:
        """A supervisor has gone: with a final status, or lost."""
        running = self.running.remove(job_id)
        self.listener.tell(job_id, {"job": job_id, "ended": True})
        store = self.stores[running.demand.tenant]
        info = read_status(store, job_id)
        if info is None:
            return
        if info.status is Status.RUNNING and info.pid != running.pid:
            return self._take_over(store, job_id)  # another template's supervisor was faster
        with suppress(NoSuchJob, InvalidTransition, StoreBusy, OSError):  # the next look at the folders finds it again
            if info.status.final and info.cause != "lost":
                failing.note(store, info)
                return store.index.put(info)
            self.children.sweep()
            if info.status is not Status.ACCEPTED:
                if running.kill_at is not None:  # that is how it was to end
                    store.ask_dismissal(job_id)
                failing.lose(self.children, store, info)
            elif not store.has_supervisor(job_id):  # or it has one of a server that does not know of us
                self._begin_again(store, info, running.demand)

    def _begin_again(self, store: JobStore, info: StatusInfo, demand: Demand) -> None:
        """A supervisor has gone before it began: nothing of the job was done, so another may, but not for ever.

        A host that has no processes left ends one like that, so there is a pause before.
        """
        if demand.again:
            store.move(info.job_id, Status.FAILED, cause="lost", message="two supervisors ended before the job began")
            return
        store.index.wait(info.job_id)
        self._wait(replace(demand, again=True), info)
        self._pause()

    def _known_children(self) -> set[int]:
        """Templates and supervisors. One that a template has just forked may be known by its status alone."""
        pids = self.templates.pids()
        for job_id, running in self.running.items():
            info = read_status(self.stores[running.demand.tenant], job_id) if running.pid is None else None
            pids.add(info.pid or 0 if info else running.pid or 0)
        return pids

    # ---- time passing

    def _tick(self) -> None:
        moment = time.monotonic()
        if REBUILD in self.children.reap():
            self.reconciled = 0.0
        self.running.kill_overdue(moment)
        self.views.look(moment)
        if moment - self.reconciled >= RECONCILE_EVERY:
            if not self.listener.can_be_found():  # the runtime directory is another now
                self.retired = "its runtime directory is another now"
                return
            self._reconcile()
            self.children.sweep()
            self.retaining.look(moment)
            self.calling.look(moment)
            logs.bound(self.runtime / LOG)
        if moment - self.ticked < TICK:  # the rest costs more than it is worth at every message
            return
        self.ticked = moment
        idle = not self.queue and moment - max(self.started_at, self.pause_until) > QUIET
        if idle:
            self.templates.want_another()
        self._maybe_retire(moment)

    def _reconcile(self) -> None:
        """Take up what the folders say and no message said: after a start, a lost message, a killed worker."""
        self.reconciled = time.monotonic()
        try:
            if not home.beat(self.settings.home, boot_id()):
                self.retired = "another host has taken the home"
                return
            stores = self.stores.there()
        except OSError:  # the disk may come back
            return
        unsound = [store for store in stores if not store.index.sound(boot_id())]
        if unsound and not self.children.at(REBUILD):
            self.children.fork(REBUILD, lambda: repair_indexes(unsound))
        for store in stores:
            if store not in unsound:
                with suppress(sqlite3.Error, OSError):  # then it is not sound the next time, or the disk is not there
                    self._reconcile_with(store)
        for job_id, running in self.running.items():
            if running.pid is None and time.monotonic() - running.asked > 10 * RECONCILE_EVERY:
                self._adopt(job_id, running)

    def _reconcile_with(self, store: JobStore) -> None:
        for job_id in latest(store):
            known = job_id in self.queue or job_id in self.running
            if not known and (info := read_status(store, job_id)):
                store.index.put(info)
        version, moment = store.index.version(), time.monotonic()
        seen, since = self.looked.get(store.tenant, (None, 0.0))
        if version == seen and moment - since < LOOK_EVERY:  # thousands may wait
            return
        self.looked[store.tenant] = version, moment
        for job_id, _ in store.index.ids(Status.ACCEPTED):
            if job_id in self.running:  # whoever accepted it, or makes the index anew, came after who began it
                store.index.begin(job_id)
            else:
                self._enqueue(store, job_id)
        for job_id, _ in store.index.ids(Status.RUNNING):
            if job_id not in self.running:
                self._take_over(store, job_id)

    def _take_over(self, store: JobStore, job_id: str) -> None:
        """A job that was started, or was to be, and that nobody here runs; or that ended while nobody looked."""
        info, job = read_status(store, job_id), read_job(store, job_id)
        if info is None:
            if store.is_gone(job_id):
                store.index.delete(job_id)
            return
        if info.status is Status.ACCEPTED:
            store.index.wait(job_id)
            return self._enqueue(store, job_id)
        store.index.put(info)
        if info.status is Status.RUNNING and store.has_supervisor(job_id) and (job is None or info.pid is None):
            return  # its files are torn, and it still comes to an end by itself
        if info.status is Status.RUNNING and lost.is_lost(store, info):
            return failing.lose(self.children, store, info)
        if info.status is not Status.RUNNING or info.pid is None or info.start_time is None or job is None:
            return
        running = Running(demand_of(store, job))
        self.running.add(job_id, running)
        self._started(job_id, info.pid, info.start_time)
        if info.dismissing:
            running.kill_at = time.monotonic() + self.settings.grace + 2

    def _maybe_retire(self, moment: float) -> None:
        """Nobody serves this home any more, and nothing is left to do."""
        waiting = self.queue and not maintenance.on(self.settings.home)
        if waiting or self.running or files.is_locked(self.runtime / SERVING, kind=fcntl.LOCK_EX):
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = moment
        elif moment - self.alone_since >= RETIRE_AFTER:
            self.retired = "no server is left, and no job"


def main() -> None:
    """Be the dispatcher: settings as JSON on standard input; the argument is the election lock's descriptor, held."""
    if not (given := sys.stdin.read()):  # who began this has ended before he could say more
        return
    settings = Settings.from_json(given)
    loglines.begin(settings.log_format)
    os.umask(files.UMASK)
    isolation.take_descriptors()
    os.chdir("/")
    isolation.adopt_orphans()
    isolation.set_name("geomill-dispatch")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    store = open_store(settings, make=False)
    store.locks.patience = PATIENCE
    dispatcher = Dispatcher(settings, Stores(store))
    immortal.make_all()  # or this process would not share what its templates have from it
    signal.signal(signal.SIGTERM, lambda *_: setattr(dispatcher, "retired", "it was told to"))
    dispatcher.run()
    log.info("leaves: %s", dispatcher.retired)
    if not dispatcher.running and not files.is_locked(settings.runtime_dir / SERVING, kind=fcntl.LOCK_EX):
        home.leave(settings.home)  # another host may have it at once


if __name__ == "__main__":
    main()
