"""The supervisor: one process per job that owns its lock, its limits and its whole process tree, and writes its status.

    template -> supervisor -> job child -> whatever it starts

It is forked from a template and is the last of its job to leave. It is process 1 of the job's PID namespace: every
orphan of the job becomes its child, and when it ends, however it ends, the kernel ends the rest. Where the host allows
no namespace it collects orphans as a subreaper instead.

It may be there before its job is: what takes no job is done then, the fork of the child included.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from geomill.app.config import Settings
from geomill.app.engine import child, isolation, limits, uploading, usage
from geomill.app.engine.ending import LONGEST_MESSAGE, Ending, is_full, of_child, of_trouble
from geomill.app.engine.ends import Ends, both
from geomill.app.engine.gate import Gate
from geomill.app.engine.messages import Channel, heard
from geomill.app.engine.publishing import Unpublishable, interruptible, publish
from geomill.app.engine.steps import StepRecord
from geomill.app.engine.tree import Tree
from geomill.jobstore import (
    InvalidTransition,
    JobStore,
    NoSuchJob,
    Result,
    Status,
    StatusInfo,
    files,
    folders,
    records,
)
from geomill.jobstore.alive import boot_id
from geomill.jobstore.folders import LOCK
from geomill.jobstore.records import now

MESSAGE = 4096  # bytes of one between dispatcher, template and supervisor, at most
_AGAIN = 0.5  # seconds until a disk that was full may have room
_REPORT_EVERY = 0.25  # seconds between two writes of the progress


def supervise(
    store: JobStore, settings: Settings, link: socket.socket, ends: Ends, inner: int, *, contained: bool
) -> Supervisor | None:
    """Get ready, wait for an accepted job, and run it to its final status; what it was run with, for who ends now:
    to let go of it piece by piece would take time.

    Nothing when another was faster, the job is not wanted any more, or the template goes before it has one.
    store: of any tenant; link: gives [tenant and id of the job, pid, start time], these two of this process as the
    host sees it;
    ends: what it speaks to its child through, which has the pid `inner`;
    contained: this process is the first of its PID namespace.
    """
    isolation.close_all_but([0, 1, 2, link.fileno(), *ends.descriptors])
    isolation.adopt_orphans()
    with suppress(BlockingIOError, ChildProcessError, FileNotFoundError, InvalidTransition, NoSuchJob):
        supervisor = Supervisor(store, settings, ends, inner, contained)
        if message := supervisor.wait(link):
            supervisor.begin(*message)
            supervisor.run()
        return supervisor
    return None


def rehearse(store: JobStore) -> None:
    """Take the paths of a move: in a template for what they keep, in a spare for the pages that they copy."""
    records.load_status(json.loads(json.dumps(records.dump(StatusInfo("", "", "", now())))))
    with suppress(NoSuchJob, OSError):
        store.read_status(records.new_job_id())


class Supervisor:
    """One job, from before it is known until it has ended."""

    def __init__(self, store: JobStore, settings: Settings, ends: Ends, inner: int, contained: bool) -> None:
        """Do what takes no job. The rest as above. Raises ChildProcessError when the child has ended."""
        self.store, self.settings = store, settings
        self.gate = Gate(settings)
        self.tree = Tree(inner, self.gate.ended, contained=contained)
        self._speak_through(ends)
        self.starved_before = usage.out_of_memory()
        self.results: dict[str, Any] | None = None
        self.failure: dict[str, Any] | None = None
        self.unread: str | None = None  # why it gave none that can be read
        self.progress: tuple[int | None, str | None] | None = None
        self.reported = 0.0
        self.published_durably = True  # as long as nothing is published

    def wait(self, link: socket.socket) -> tuple[str, str, int, int] | None:
        """What the link gives; None when the template has gone, or this is told to end, or has lost its child."""
        if not select.select([link], [], [], child.REST)[0]:
            rehearse(self.store)
        ready, _, _ = select.select([link.fileno(), self.tree.wake], [], [])
        message = heard(link, MESSAGE) if self.tree.wake not in ready else b""
        link.close()
        return tuple(json.loads(message)) if message else None

    def begin(self, tenant: str, job_id: str, pid: int, start_time: int) -> None:
        """Make the job ours; the child reads what is asked meanwhile.

        Raises BlockingIOError, FileNotFoundError, InvalidTransition or NoSuchJob for a job that is not to be had.
        """
        self._order(child.named(tenant, job_id))
        isolation.set_name("geomill-job")
        self.pid = pid
        self.store = self.store.of(tenant)
        self.folder = self.store.folder(job_id)
        self.work = self.folder / "work"
        self.lock = _take_lock(self.folder)
        named: dict[str, Any] = {"pid": pid, "start_time": start_time, "boot_id": boot_id()}
        self.store.move(job_id, Status.RUNNING, started=now(), **named)
        self.steps = StepRecord(self.folder)

    def run(self) -> None:
        """Let the child run, watch it, end everything it left, publish, say how it ended."""
        folders.begin_anew(self.folder)
        log = self._open_log()
        try:
            self.work.mkdir(mode=0o700)
            self.job = self.store.job(self.folder.name)
            if self.job.limits.network == child.HOST:
                self._fork_again()
            self._order(child.GO)
            self.gate.take(self.orders)
            ending = self._watch(log)
            self.tree.end()
            self._read_messages()
            ending = ending or self._said_ending()
            if ending.status is Status.SUCCESSFUL:
                self.published_durably = self._publish()
        except Unpublishable as error:
            ending = Ending(Status.FAILED, error.cause, str(error))
            os.write(log, f"{error}\n".encode())
        except Exception as error:  # the one place where trouble of ours must become the status of the job
            self.tree.end()
            ending = of_trouble(error, self.store.home)
            with suppress(OSError):
                os.write(log, traceback.format_exc().encode())
        self._leave(ending, log)

    def _open_log(self) -> int:
        """The job's log; on a disk without room for it there is none, and the job fails by itself."""
        try:
            return os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    # ---- the child

    def _speak_through(self, ends: Ends) -> None:
        """The child waits for orders: the job, as soon as it is known, then the word to go."""
        self.orders, self.messages = ends.orders, Channel(ends.messages)

    def _fork_again(self) -> None:
        """Another child in place of one that has left the host's network, from which there is no way back."""
        os.kill(self.tree.child, signal.SIGKILL)
        os.waitpid(self.tree.child, 0)
        os.close(self.messages.descriptor)
        self.orders.close()
        ours, theirs = both()
        self.tree.child = os.fork()
        if self.tree.child == 0:
            known = self.settings.known_to_jobs()
            child.obey(self.store, known, theirs, own_processes=self.tree.contained, on_host=True)
        theirs.close()
        self._speak_through(ours)
        self._order(child.named(self.store.tenant, self.folder.name))

    def _order(self, word: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the child has ended, which is going to be noticed
            self.orders.sendall(word)

    def _watch(self, log: int) -> Ending | None:
        """Follow the child until it ends by itself (None), is dismissed, or has used up its time."""
        poll = select.poll()
        poll.register(self.tree.wake, select.POLLIN)
        poll.register(self.messages.descriptor, select.POLLIN)
        deadline = self.deadline = time.monotonic() + self.job.limits.seconds
        watch = limits.Watch(self.job.limits, self.pid, self.work)
        while self.tree.exit_status is None:
            gate = self.gate.watch(poll)
            ready = self._ready(poll, deadline, watch)
            if self.messages.descriptor in ready and not self._read_messages():
                poll.unregister(self.messages.descriptor)
            self._report()
            if gate in ready:
                self.gate.open(log)
            if self.tree.wake in ready:
                self.tree.heed()
            if self.tree.told_to_end:
                return self._interrupted(Ending(Status.FAILED, "terminated", "the supervisor was told to terminate"))
            if time.monotonic() >= deadline and self.tree.exit_status is None:
                message = f"still running after its time limit of {self.job.limits.seconds:g} s"
                return self._interrupted(Ending(Status.FAILED, "time-limit", message))
            if self.tree.exit_status is None and time.monotonic() >= watch.due and (excess := watch.look()):
                return Ending(Status.FAILED, excess.cause, excess.message)  # and no grace: it would go on using it up
        return None

    def _ready(self, poll: select.poll, deadline: float, watch: limits.Watch) -> set[int]:
        """The descriptors with something to read, as soon as there is one, or something else to be done."""
        while not (ready := poll.poll(self._patience(min(deadline, watch.due)))) and watch.is_needless():
            pass
        return {descriptor for descriptor, _ in ready}

    def _interrupted(self, ending: Ending) -> Ending:
        """Ask the job to end, and give it its grace."""
        self.tree.ask_to_end(self.job.limits.grace)
        return ending

    def _patience(self, deadline: float) -> float:
        """Milliseconds until something is due."""
        due = deadline if self.progress is None else min(deadline, self.reported + _REPORT_EVERY)
        return min(max(0.0, due - time.monotonic()) * 1000 + 1, 3_600_000)

    # ---- what it says

    def _read_messages(self) -> bool:
        """Take in what the child said; False when its end was closed."""
        messages, is_open = self.messages.read()
        for message in messages:
            if isinstance(message.get("results"), dict):
                self.results = message["results"]
            elif isinstance(message.get("results"), str):
                self.unread = message["results"]
            elif isinstance(message.get("failure"), dict):
                self.failure = message["failure"]
            elif isinstance(message.get("event"), dict):
                with suppress(OSError):
                    self.steps.note(message["event"])
            elif isinstance(message.get("progress"), int):
                text = message.get("message")
                said = text[:LONGEST_MESSAGE] if isinstance(text, str) else None
                self.progress = min(max(message["progress"], 0), 100), said
        return is_open

    def _report(self) -> None:
        """Write the progress, not too often."""
        if self.progress is not None and time.monotonic() - self.reported >= _REPORT_EVERY:
            with suppress(OSError):  # a disk that is full may have room again before the job has ended
                self.store.report(self.job.job_id, *self.progress)
            self.progress, self.reported = None, time.monotonic()

    def _said_ending(self) -> Ending:
        given = self.unread if self.results is None else self.results
        return of_child(self.tree.exit_status or 0, given, self.failure, self.job.limits, self._starved)

    def _starved(self) -> bool:
        """Whether the kernel has ended somebody for want of memory since we are here."""
        return usage.out_of_memory() > self.starved_before

    # ---- the end

    def _publish(self) -> bool:
        """Publish the results; whether they are on disk. Raises Unpublishable, also when time is up or this is to end.

        It may be much to copy: whoever used his time up has a tenth of it for that, and all of it again where the copy
        goes into an object store.
        """
        limits = self.job.limits
        durable = self.store.read_status(self.job.job_id).durable
        most = limits.output or sys.maxsize
        elsewhere = self.settings.publish_to is not None
        share = limits.seconds if elsewhere else limits.seconds / 10
        seconds = max(self.deadline - time.monotonic(), share, limits.grace)
        with self.steps.publishing() as published, interruptible(seconds, self._told):
            copied, group = self._copied if elsewhere else None, self.settings.outputs_gid()
            results = self.results or {}
            published += publish(self.folder, results, durable=durable, most=most, copied=copied, group=group)
        return durable

    def _copied(self, results: list[Result]) -> dict[str, str]:
        """Have the files copied into an object store; what does that ends with this."""
        try:
            return uploading.copied(self.settings, self.store.tenant, self.folder, results)
        finally:
            self.tree.end()

    def _told(self) -> None:
        self.tree.told_to_end = True

    def _leave(self, ending: Ending, log: int) -> None:
        """Clean up, then the status: nobody who sees the job ended finds anything of it running or in its scratch."""
        if ending.status is not Status.SUCCESSFUL:  # nobody can get at what was published
            (self.folder / "results.json").unlink(missing_ok=True)
            if (self.folder / "outputs").exists() and ending.cause != uploading.CAUSE:  # but for who runs the server
                files.remove_tree(self.folder / "outputs")
        folders.clear(self.folder, keep=ending.status is Status.FAILED and not self.tree.told_to_end)
        with suppress(OSError):
            if os.fstat(log).st_size == 0:
                os.unlink(self.folder / "log")
        changes: dict[str, Any] = {"cause": ending.cause, "message": ending.message}
        if ending.status is Status.SUCCESSFUL:
            changes["progress"] = 100
        with suppress(InvalidTransition, NoSuchJob):
            while not self._told_the_store(ending.status, changes):
                time.sleep(_AGAIN)

    def _told_the_store(self, status: Status, changes: dict[str, Any]) -> bool:
        """Whether there was room to say how the job ended, which has to be said."""
        try:
            self.store.move(self.folder.name, status, settled=self.published_durably, **changes)
        except OSError as error:
            if not is_full(error):
                raise
            return False
        return True


def _take_lock(folder: Path) -> int:
    """The job's lock, held for life. Raises BlockingIOError when the job has a supervisor."""
    descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor
