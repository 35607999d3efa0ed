"""The supervisor: one process per job that owns its lock, its limits and its whole process tree, and writes its status.

    template -> supervisor -> job child -> whatever it starts

It is forked from a template and is the last of its job to leave. It is process 1 of the job's PID namespace: every
orphan of the job becomes its child, and when it ends, however it ends, the kernel ends the rest. Where the host allows
no namespace it collects orphans as a subreaper instead.

It may be there before its job is: what takes no job is done then, the fork of the child included.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import socket
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomill.app.config import Settings
from geomill.app.engine import child, isolation, reaper
from geomill.app.engine.messages import Channel
from geomill.app.engine.publishing import Unpublishable, publish
from geomill.app.engine.steps import StepRecord
from geomill.jobstore import InvalidTransition, JobStore, NoSuchJob, Status, StatusInfo, records
from geomill.jobstore.records import now
from geomill.jobstore.store import LOCK, boot_id

LONGEST_MESSAGE = 2000  # characters of a status
MESSAGE = 4096  # bytes of one between dispatcher, template and supervisor, at most
_REPORT_EVERY = 0.25  # seconds between two writes of the progress


@dataclass
class Ending:
    """How a job ended. cause and message: of a failure."""

    status: Status
    cause: str | None = None
    message: str | None = None


def supervise(store: JobStore, settings: Settings, link: socket.socket, *, contained: bool) -> None:
    """Get ready, wait for an accepted job, and run it to its final status.

    Nothing when another was faster, the job is not wanted any more, or the template goes before it has one.
    store: of any tenant; link: gives [tenant and id of the job, pid, start time], these two of this process as the
    host sees it;
    contained: this process is the first of its PID namespace.
    """
    os.setsid()
    isolation.close_all_but([0, 1, 2, link.fileno()])
    isolation.adopt_orphans()
    supervisor = Supervisor(store, settings, contained)
    if message := supervisor.wait(link):
        with suppress(BlockingIOError, FileNotFoundError, InvalidTransition, NoSuchJob):
            supervisor.begin(*message)
            supervisor.run()


class Supervisor:
    """One job, from before it is known until it has ended."""

    def __init__(self, store: JobStore, settings: Settings, contained: bool) -> None:
        """Do what takes no job. contained: as above."""
        self.store, self.settings, self.contained = store, settings, contained
        self.wake = _listen_for_signals()
        self._fork()
        self.exit_status: int | None = None
        self.told_to_end = False
        self.results: dict[str, Any] | None = None
        self.failure: dict[str, Any] | None = None
        self.progress: tuple[int | None, str | None] | None = None
        self.reported = 0.0
        self.published_durably = True  # as long as nothing is published

    def wait(self, link: socket.socket) -> tuple[str, str, int, int] | None:
        """What the link gives; None when the template has gone, or this is told to end, or has lost its child."""
        if not select.select([link], [], [], child.REST)[0]:
            self._rehearse()
        ready, _, _ = select.select([link.fileno(), self.wake], [], [])
        message = link.recv(MESSAGE) if self.wake not in ready else b""
        link.close()
        return tuple(json.loads(message)) if message else None

    def _rehearse(self) -> None:
        """Take the paths of a move while there is time, so that what they touch is copied before there is a job."""
        records.load_status(json.loads(json.dumps(records.dump(StatusInfo("", "", "", now())))))
        with suppress(NoSuchJob):
            self.store.read_status(records.new_job_id())

    def begin(self, tenant: str, job_id: str, pid: int, start_time: int) -> None:
        """Make the job ours; the child reads what is asked meanwhile.

        Raises BlockingIOError, FileNotFoundError, InvalidTransition or NoSuchJob for a job that is not to be had.
        """
        self._order(child.named(tenant, job_id))
        isolation.set_name("geomill-job")
        self.store = self.store.of(tenant)
        self.folder = self.store.folder(job_id)
        self.work = self.folder / "work"
        self.lock = _take_lock(self.folder)
        named: dict[str, Any] = {"pid": pid, "start_time": start_time, "boot_id": boot_id()}
        self.store.move(job_id, Status.RUNNING, started=now(), **named)
        self.steps = StepRecord(self.folder)

    def run(self) -> None:
        """Let the child run, watch it, end everything it left, publish, say how it ended."""
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self.work.mkdir(mode=0o700)
            self._order(child.GO)
            self.job = self.store.job(self.folder.name)
            ending = self._watch()
            self._end_tree()
            self._read_messages()
            ending = ending or self._ending()
            if ending.status is Status.SUCCESSFUL:
                self.published_durably = self._publish()
        except Unpublishable as error:
            ending = Ending(Status.FAILED, error.cause, str(error))
            os.write(log, f"{error}\n".encode())
        except Exception as error:  # the one place where trouble of ours must become the status of the job
            self._end_tree()
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            ending = Ending(Status.FAILED, "disk-full" if full else "lost", f"the supervisor failed: {error}")
            with suppress(OSError):
                os.write(log, traceback.format_exc().encode())
        self._leave(ending, log)

    # ---- the child

    def _fork(self) -> None:
        """A child that waits for orders: the job, as soon as it is known, then the word to go."""
        reading, writing = os.pipe()
        orders, self.orders = os.pipe()
        self.messages = Channel(reading)
        self.child = os.fork()
        if self.child == 0:
            child.main(self.store, self.settings, orders, writing, own_processes=self.contained)
        os.close(writing)
        os.close(orders)

    def _order(self, word: bytes) -> None:
        with suppress(BrokenPipeError):  # the child has ended, which is going to be noticed, and may have said why
            os.write(self.orders, word)

    def _watch(self) -> Ending | None:
        """Follow the child until it ends by itself (None), is dismissed, or has used up its time."""
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        poll.register(self.messages.descriptor, select.POLLIN)
        deadline = time.monotonic() + self.job.limits.seconds
        while self.exit_status is None:
            ready = {descriptor for descriptor, _ in poll.poll(self._patience(deadline))}
            if self.messages.descriptor in ready and not self._read_messages():
                poll.unregister(self.messages.descriptor)
            self._report()
            if self.wake in ready:
                self._heed_signals()
            if self.told_to_end:
                return self._interrupted(Ending(Status.FAILED, "terminated", "the supervisor was told to terminate"))
            if time.monotonic() >= deadline and self.exit_status is None:
                message = f"still running after its time limit of {self.job.limits.seconds:g} s"
                return self._interrupted(Ending(Status.FAILED, "time-limit", message))
        return None

    def _patience(self, deadline: float) -> float:
        """Milliseconds until something is due."""
        due = deadline if self.progress is None else min(deadline, self.reported + _REPORT_EVERY)
        return min(max(0.0, due - time.monotonic()) * 1000 + 1, 3_600_000)

    def _heed_signals(self) -> None:
        """Take note of SIGTERM, and of every child that ended, the job's orphans among them."""
        self.told_to_end |= signal.SIGTERM in os.read(self.wake, 4096)
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self.child:
                    self.exit_status = status

    def _interrupted(self, ending: Ending) -> Ending:
        """Ask the job to end, and give it its grace."""
        self._signal_all(signal.SIGTERM)
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        deadline = time.monotonic() + self.job.limits.grace
        while self.exit_status is None and (left := deadline - time.monotonic()) > 0:
            if poll.poll(left * 1000 + 1):
                self._heed_signals()
        return ending

    def _end_tree(self) -> None:
        """Nothing of the job is left when this returns, whatever it forked."""
        while True:
            self._signal_all(signal.SIGKILL)
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            if pid == self.child:
                self.exit_status = status

    def _signal_all(self, number: signal.Signals) -> None:
        """Signal every process of the job."""
        if self.contained:
            with suppress(ProcessLookupError):
                os.kill(-1, number)  # everyone in the namespace but its first
        elif number is signal.SIGKILL:
            reaper.kill_tree(reaper.children(os.getpid()))
        else:
            for pid in reaper.descendants(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    # ---- what it says

    def _read_messages(self) -> bool:
        """Take in what the child said; False when its end was closed."""
        messages, is_open = self.messages.read()
        for message in messages:
            if isinstance(message.get("results"), dict):
                self.results = message["results"]
            elif isinstance(message.get("failure"), dict):
                self.failure = message["failure"]
            elif isinstance(message.get("event"), dict):
                self.steps.note(message["event"])
            elif isinstance(message.get("progress"), int):
                text = message.get("message")
                self.progress = min(max(message["progress"], 0), 100), text if isinstance(text, str) else None
        return is_open

    def _report(self) -> None:
        """Write the progress, not too often."""
        if self.progress is not None and time.monotonic() - self.reported >= _REPORT_EVERY:
            self.store.report(self.job.job_id, *self.progress)
            self.progress, self.reported = None, time.monotonic()

    def _ending(self) -> Ending:
        """What the end of the child means."""
        if self.failure is not None:
            cause = self.failure.get("cause")
            told = cause if cause in child.CAUSES else "exception"
            return Ending(Status.FAILED, told, str(self.failure.get("message"))[:LONGEST_MESSAGE])
        status = self.exit_status or 0
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            text = f"ended by signal {number} ({signal.strsignal(number)})"
            return Ending(Status.FAILED, "signal", text)
        code = os.WEXITSTATUS(status)
        if code == 0 and self.results is not None:
            return Ending(Status.SUCCESSFUL)
        text = "ended before it gave its results" if code == 0 else f"ended with exit code {code}"
        return Ending(Status.FAILED, "exit", text)

    # ---- the end

    def _publish(self) -> bool:
        """Publish the results; whether they are on disk."""
        durable = self.store.read_status(self.job.job_id).durable
        with self.steps.publishing() as published:
            published += publish(self.folder, self.results or {}, durable=durable, most=self.settings.max_output)
        return durable

    def _leave(self, ending: Ending, log: int) -> None:
        """Clean up, then the status: nobody who sees the job ended finds anything of it running or in its scratch."""
        self.store.clear(self.folder.name, keep=ending.status is Status.FAILED and not self.told_to_end)
        with suppress(OSError):
            if os.fstat(log).st_size == 0:
                os.unlink(self.folder / "log")
        changes: dict[str, Any] = {"cause": ending.cause, "message": ending.message}
        if ending.status is Status.SUCCESSFUL:
            changes["progress"] = 100
        with suppress(InvalidTransition, NoSuchJob):
            self.store.move(self.folder.name, ending.status, settled=self.published_durably, **changes)


def _take_lock(folder: Path) -> int:
    """The job's lock, held for life. Raises BlockingIOError when the job has a supervisor."""
    descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _listen_for_signals() -> int:
    """A descriptor that gives a byte for each SIGTERM, blocked since before the fork, and SIGCHLD from now on."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    return reading
