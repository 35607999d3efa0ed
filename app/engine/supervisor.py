"""The supervisor: one process per job that owns its lock, its limits and its whole process tree, and writes its status.

    template -> supervisor -> first process of a PID namespace -> job child -> whatever it starts

It is forked from a template, leaves by os._exit, and is the last of its job to leave. Where the host allows no
namespace the job child is its own child, and it collects orphans as a subreaper instead.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomill.app.config import Settings
from geomill.app.engine import isolation, reaper
from geomill.app.engine.messages import Channel
from geomill.app.engine.publishing import Unpublishable, publish
from geomill.jobstore import InvalidTransition, Job, JobStore, NoSuchJob, Status
from geomill.jobstore.records import now
from geomill.jobstore.store import boot_id

_REPORT_EVERY = 0.25  # seconds between two writes of the progress


@dataclass
class Ending:
    """How a job ended. cause and message: of a failure."""

    status: Status
    cause: str | None = None
    message: str | None = None


def supervise(store: JobStore, settings: Settings, job_id: str) -> None:
    """Run one accepted job to its final status; nothing when another was faster, or it is not wanted any more."""
    os.setsid()
    isolation.set_name("geomill-job")
    isolation.adopt_orphans()
    try:
        lock = _take_lock(store.folder(job_id))
    except (BlockingIOError, FileNotFoundError):
        return
    wake = _listen_for_signals()
    begun = {"pid": os.getpid(), "start_time": reaper.start_time(os.getpid()), "boot_id": boot_id(), "started": now()}
    with suppress(InvalidTransition, NoSuchJob):
        store.move(job_id, Status.RUNNING, **begun)
        Supervisor(store, settings, store.job(job_id), lock, wake).run()


class Supervisor:
    """One job while it runs."""

    def __init__(self, store: JobStore, settings: Settings, job: Job, lock: int, wake: int) -> None:
        """lock: held already; wake: a descriptor that becomes readable with a signal."""
        self.store, self.settings, self.job = store, settings, job
        self.lock, self.wake = lock, wake
        self.folder = store.folder(job.job_id)
        self.work = self.folder / "work"
        self.verdict = -1
        self.results: dict[str, Any] | None = None
        self.failure: dict[str, Any] | None = None
        self.progress: tuple[int | None, str | None] | None = None
        self.reported = 0.0

    def run(self) -> None:
        """Start the child, watch it, end everything it left, publish, say how it ended."""
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self.work.mkdir(mode=0o700)
            self._start(log)
            ending = self._watch()
            self._end_tree()
            self._read_messages()
            ending = ending or self._ending()
            if ending.status is Status.SUCCESSFUL:
                self._publish()
        except Unpublishable as error:
            ending = Ending(Status.FAILED, error.cause, str(error))
            os.write(log, f"{error}\n".encode())
        except Exception as error:  # the one place where trouble of ours must become the status of the job
            self._end_tree()
            cause = "disk-full" if isinstance(error, OSError) and error.errno in (28, 122) else "lost"
            ending = Ending(Status.FAILED, cause, f"the supervisor failed: {error}")
            with suppress(OSError):
                os.write(log, traceback.format_exc().encode())
        self._leave(ending, log)

    # ---- the child

    def _start(self, log: int) -> None:
        from geomill.app.engine import child

        reading, writing = os.pipe()
        verdict, say = os.pipe()
        contained = isolation.enter_namespace()
        self.supervisor_pid = os.getpid()
        self.root = os.fork()
        if self.root == 0:
            try:
                isolation.die_with_parent()
                if contained:
                    _be_first(say, lambda: child.main(self.store, self.settings, self.job, log, writing))
                child.main(self.store, self.settings, self.job, log, writing)
            finally:
                os._exit(70)
        os.close(writing)
        os.close(say)
        self.contained, self.verdict = contained, verdict
        self.messages = Channel(reading)
        self.pidfd = os.pidfd_open(self.root)

    def _watch(self) -> Ending | None:
        """Follow the child until it ends by itself (None), is dismissed, or has used up its time."""
        poll = select.poll()
        for descriptor in (self.messages.descriptor, self.pidfd, self.wake):
            poll.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + self.job.limits.seconds
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(self._patience(deadline))}
            if self.messages.descriptor in ready and not self._read_messages():
                poll.unregister(self.messages.descriptor)
            self._report()
            if self.pidfd in ready:
                return None
            if self.wake in ready:
                os.read(self.wake, 64)
                return self._interrupted(Ending(Status.FAILED, "terminated", "the supervisor was told to terminate"))
            if time.monotonic() >= deadline:
                message = f"still running after its time limit of {self.job.limits.seconds:g} s"
                return self._interrupted(Ending(Status.FAILED, "time-limit", message))

    def _patience(self, deadline: float) -> float:
        """Milliseconds until something is due."""
        due = deadline if self.progress is None else min(deadline, self.reported + _REPORT_EVERY)
        return min(max(0.0, due - time.monotonic()) * 1000 + 1, 3_600_000)

    def _interrupted(self, ending: Ending) -> Ending:
        """Ask the job to end, and give it its grace."""
        if self.contained:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGTERM)
        else:
            for pid in reaper.descendants(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        reaper.wait_for_end(self.pidfd, self.job.limits.grace)
        return ending

    def _end_tree(self) -> None:
        """Nothing of the job is left when this returns, whatever it forked."""
        if getattr(self, "root", None) is None:
            return
        if self.contained:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self.root, 0)  # the kernel reports the first process only when all others are gone
            word = os.read(self.verdict, 8)
            self.exit_status = int.from_bytes(word, "little") if word else None
        else:
            self.exit_status = None
            if reaper.wait_for_end(self.pidfd, 0):
                self.exit_status = os.waitpid(self.root, 0)[1]
        reaper.end_all_children()
        self.root = None  # type: ignore[assignment]

    # ---- what it says

    def _read_messages(self) -> bool:
        """Take in what the child said; False when its end was closed."""
        messages, is_open = self.messages.read()
        for message in messages:
            if "results" in message:
                self.results = message["results"]
            elif "failure" in message:
                self.failure = message["failure"]
            elif "progress" in message:
                self.progress = (message["progress"], message.get("message"))
        return is_open

    def _report(self) -> None:
        """Write the progress, not too often."""
        if self.progress is not None and time.monotonic() - self.reported >= _REPORT_EVERY:
            self.store.report(self.job.job_id, *self.progress)
            self.progress, self.reported = None, time.monotonic()

    def _ending(self) -> Ending:
        """What the end of the child means."""
        if self.failure is not None:
            return Ending(Status.FAILED, str(self.failure.get("cause")), str(self.failure.get("message")))
        status = self.exit_status
        if status is not None and os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            text = f"ended by signal {number} ({signal.strsignal(number)})"
            return Ending(Status.FAILED, "signal", text)
        code = os.WEXITSTATUS(status) if status is not None else None
        if code == 0 and self.results is not None:
            return Ending(Status.SUCCESSFUL)
        text = "ended before it gave its results" if code == 0 else f"ended with exit code {code}"
        return Ending(Status.FAILED, "exit", text)

    # ---- the end

    def _publish(self) -> None:
        durable = self.store.status(self.job.job_id).durable
        publish(self.folder, self.results or {}, durable=durable)

    def _leave(self, ending: Ending, log: int) -> None:
        """Clean up, then the status: nobody who sees the job ended finds anything of it running or in its scratch."""
        shutil.rmtree(self.work, ignore_errors=True)
        with suppress(OSError):
            if os.fstat(log).st_size == 0:
                os.unlink(self.folder / "log")
        changes: dict[str, Any] = {"cause": ending.cause, "message": ending.message}
        if ending.status is Status.SUCCESSFUL:
            changes["progress"] = 100
        with suppress(InvalidTransition, NoSuchJob):
            self.store.move(self.job.job_id, ending.status, **changes)


def _be_first(say: int, run: Any) -> None:
    """Be process 1 of the namespace: start the job child, pass SIGTERM on to all, report how the child ended."""
    isolation.mount_proc()
    signal.signal(signal.SIGTERM, lambda *_: _terminate_all())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    child = os.fork()
    if child == 0:
        try:
            run()
        finally:
            os._exit(70)
    isolation.close_all_but([say])
    while True:
        pid, status = os.wait()
        if pid == child:
            os.write(say, status.to_bytes(8, "little"))
            os._exit(0)


def _terminate_all() -> None:
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGTERM)


def _take_lock(folder: Path) -> int:
    """The job's lock, held for life. Raises BlockingIOError when the job has a supervisor."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _listen_for_signals() -> int:
    """SIGTERM, blocked since before the fork, makes the returned descriptor readable from now on."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(writing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    return reading
