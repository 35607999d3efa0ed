"""What a web worker, or the command line, asks of the engine. Any of them finds or starts the one dispatcher."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import select
import signal
import socket
import threading
import time
from typing import Any

from geomill.app.config import Settings, SettingsError
from geomill.app.engine import departure, reaper, threads
from geomill.app.engine.bond import Bond
from geomill.app.engine.line import Line, connect, send
from geomill.app.engine.runtime import ELECTION, SOCKET, identity
from geomill.app.engine.starting import start_dispatcher
from geomill.app.engine.stores import read_job
from geomill.app.tenant_names import DEFAULT
from geomill.jobstore import Admission, JobStore, StatusInfo, StoreBusy, home, lost
from geomill.jobstore.alive import boot_id

_RETRY = 0.05
log = logging.getLogger(__name__)


def open_store(settings: Settings, tenant: str = DEFAULT, *, make: bool = True) -> JobStore:
    """A tenant's job store in the home that the settings name. make: it, if need be.

    A home that is being served and has vanished is not made again: its disk may come back.
    Raises SettingsError for a home that no job could use.
    """
    settings.check_job_user()
    settings.check_outputs_group()
    there = (settings.home / home.MARK).exists()
    if not there and not make:
        raise SettingsError(f"home: {settings.home} is not there; it is waited for")
    bond = Bond.of(settings)
    vanished = not there and bond.is_in_use()
    if not vanished:
        bond.agree()
        try:
            home.claim(settings.home, boot_id())
        except home.UnusableHome as error:
            raise SettingsError(f"home: {error}") from error
    admission = Admission(
        settings.max_queued, settings.min_free_bytes, settings.min_free_inodes, settings.max_queued_per_caller
    )
    return JobStore(settings.home, settings.prepare_runtime_dir(), tenant, admission, make=not vanished)


class Engine:
    """Starts, follows and dismisses the jobs of one tenant."""

    def __init__(self, settings: Settings, store: JobStore) -> None:
        """store: the tenant's, in the home that settings name."""
        self.settings, self.store = settings, store
        self.runtime = settings.runtime_dir
        self._held: list[int] = []
        self._line = Line(self.runtime / SOCKET)

    def serve(self, *, insist: bool = True) -> None:
        """Stand for this server from now on: keep a dispatcher alive as long as this process lives.

        insist: one with other settings has to make way for ours. Raises NoThreads.
        """
        self._stand()
        for name, work in (("election", self._succeed), *((("hello", self._greet),) if insist else ())):
            threads.insist(threading.Thread(target=work, name=name, daemon=True).start)

    def start(self, job_id: str) -> None:
        """Wake the dispatcher for an accepted job. Never fails: a dispatcher to come finds the job in the store."""
        with contextlib.suppress(OSError):
            self._line.tell(self._start_of(job_id))

    def run(self, job_id: str, seconds: float) -> StatusInfo:
        """Start a job and wait for its end, at most this long, and not when this process is to end itself.

        The latest status.
        """
        deadline = time.monotonic() + seconds
        if _left(deadline) <= 0:
            self.start(job_id)
        while _left(deadline) > 0:
            started = self._wait_for_start(job_id, deadline)
            if started is not None:
                pidfd = reaper.open_process(started.get("pid"), started.get("start_time"))
                if pidfd is not None:
                    with _closing(pidfd):
                        _wait_for(pidfd, deadline)
                info = self.store.status(job_id)
                if info.status.final:
                    return info
            time.sleep(max(0, min(_RETRY, _left(deadline))))
        return self.store.status(job_id)

    def expect(self, template: str) -> None:
        """Say which template a job is likely to need soon. Never fails."""
        self._tell({"op": "expect", "template": template})

    def dismiss(self, job_id: str, match: str | None = None) -> StatusInfo:
        """End a job. Dismissed when nothing of it is left; still running after grace + 2 s: the dispatcher goes on.

        A job that had finished is left as it is. match: only in the state of this etag.
        Raises NoSuchJob, StatusChanged.
        """
        info = self._ask_dismissal(job_id, match)
        if info.status.final:
            self._tell({"op": "dismiss", "job": job_id})
            self._wait_for_leaving(job_id)
            return info
        job = read_job(self.store, job_id)
        grace = job.limits.grace if job else self.settings.grace
        pidfd = self._open_supervisor(info)
        if pidfd is not None:
            with _closing(pidfd):
                with contextlib.suppress(ProcessLookupError):  # it ended by itself this moment
                    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
                ended = reaper.wait_for_end(pidfd, grace + 2)
            if not ended:
                self._tell({"op": "dismiss", "job": job_id})
                return self.store.status(job_id)
        if not self.store.read_status(job_id).status.final:
            answer = self.ask({"op": "sweep"}, 2.0)  # the supervisor was lost: its leftovers first, then the word
            self._tell({"op": "dismiss", "job": job_id})  # or it is there, and its status does not name it
            if answer is None or not answer["swept"]:
                return self.store.read_status(job_id)
        return self.store.status(job_id)

    def place(self, job_id: str) -> int | None:
        """How many starts until this job's, an estimate; None when it does not wait or nobody can tell."""
        answer = self.ask({"op": "place", "job": job_id}, 0.5)
        return answer.get("place") if answer else None

    def view(
        self, job_id: str, file: str, at: tuple[float, float] | None, seconds: float, band: int | None = None
    ) -> dict[str, Any] | None:
        """Have a picture of a file made, {} when it is there; or get the value at a longitude and latitude.

        seconds: to wait for that, if above 0; band: the one that is meant, counted from 1.
        {"error"} says why there is none; None: not yet.
        """
        wait = seconds > 0
        whose = {"tenant": self.store.tenant, "owner": self.store.status(job_id).owner}
        message = {"op": "view", **whose, "job": job_id, "file": file, "band": band, "at": at, "wait": wait}
        answer = self.ask(message, seconds if wait else 1.0)
        return answer if wait or (answer or {}).get("error") else None

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The dispatcher's answer, or None when there is none in time."""
        with contextlib.suppress(OSError, ValueError), self._connect(seconds) as link:
            send(link, message)
            return _receive(link)
        return None

    def is_of_others(self) -> bool:
        """Whether there is a dispatcher, and it works by another version or under other settings."""
        answer = self.ask({"op": "hello"}, 2.0)
        return answer is not None and answer["digest"] != identity(self.settings)

    def retire(self) -> None:
        """Ask the dispatcher to leave. Running jobs go on; waiting ones wait for the next."""
        self._tell({"op": "retire"})

    # ---- inside

    def _ask_dismissal(self, job_id: str, match: str | None) -> StatusInfo:
        """As the store does; a supervisor that was stopped in the middle of a move is ended for it."""
        try:
            return self.store.ask_dismissal(job_id, match)
        except StoreBusy:
            info = self.store.read_status(job_id)
            pidfd = self._open_supervisor(info)
            if pidfd is not None:
                with _closing(pidfd):
                    self._tell({"op": "dismiss", "job": job_id})
                    reaper.wait_for_end(pidfd, 2)
            return self.store.ask_dismissal(job_id, match)

    def _open_supervisor(self, info: StatusInfo) -> int | None:
        """A pidfd of a job's supervisor, if it has one: a copy of a home names those of the original."""
        return None if lost.is_lost(self.store, info) else reaper.open_process(info.pid, info.start_time)

    def _wait_for_leaving(self, job_id: str) -> None:
        """A supervisor that was about to begin finds that the job is not wanted, and leaves; else it is ended soon."""
        deadline = time.monotonic() + 2
        while self.store.has_supervisor(job_id) and time.monotonic() < deadline:
            time.sleep(0.002)

    def _wait_for_start(self, job_id: str, deadline: float) -> dict[str, Any] | None:
        """{"pid", "start_time"} of the job's supervisor, {"ended"}; None when the dispatcher was lost or time is up."""
        with contextlib.suppress(OSError, ValueError), self._connect() as link:
            send(link, {**self._start_of(job_id), "wait": True})
            if _wait_for(link.fileno(), deadline):
                return _receive(link)
        return None

    def _start_of(self, job_id: str) -> dict[str, Any]:
        return {"op": "start", "tenant": self.store.tenant, "job": job_id}

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError), self._connect() as link:
            send(link, message)

    def _connect(self, seconds: float = 1.0) -> socket.socket:
        return connect(self.runtime / SOCKET, seconds)

    def _stand(self) -> None:
        """Hold what tells others that a server is there; again, if somebody has removed the runtime directory."""
        before, self._held = self._held, [Bond.of(self.settings).hold()]
        # systemd-tmpfiles, which tidies /tmp, leaves a folder alone that is locked
        self._held.append(os.open(self.runtime, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        fcntl.flock(self._held[-1], fcntl.LOCK_SH)
        for descriptor in before:
            os.close(descriptor)

    def _succeed(self) -> None:
        """Wait for the election lock, again and again; whoever gets it hands it to a new dispatcher."""
        while True:
            try:
                self._stand()
                path = self.runtime / ELECTION
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    if departure.has_begun():  # that is for those who stay
                        return
                    if os.path.samestat(os.fstat(lock), os.stat(path)):  # not one that was removed
                        start_dispatcher(self.settings, lock)
                finally:
                    os.close(lock)
            except (OSError, RuntimeError, SettingsError) as error:  # the middle one: no thread
                log.error("no dispatcher can be started: %s", error)
                time.sleep(1)
            time.sleep(_RETRY)

    def _greet(self) -> None:
        """Tell a dispatcher of another version or other settings that its time is over."""
        ours = identity(self.settings)
        for _ in range(100):  # the next may be another's again, who waited for the lock longer
            answer = self.ask({"op": "hello", "digest": ours}, 2.0)
            if answer and answer["digest"] == ours:
                return
            time.sleep(_RETRY)


def _left(deadline: float) -> float:
    """Seconds for which something may still be waited for."""
    return min(deadline, departure.moment()) - time.monotonic()


def _wait_for(descriptor: int, deadline: float) -> bool:
    """Whether a descriptor had something to read while there was time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while (left := _left(deadline)) > 0:
        if poll.poll(min(left, departure.LOOK_EVERY) * 1000 + 1):
            return True
    return False


def _receive(link: socket.socket) -> dict[str, Any] | None:
    with link.makefile("rb") as lines:
        line = lines.readline()
    return json.loads(line) if line else None


@contextlib.contextmanager
def _closing(descriptor: int) -> Any:
    try:
        yield
    finally:
        os.close(descriptor)
