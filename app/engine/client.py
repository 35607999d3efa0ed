"""What a web worker, or the command line, asks of the engine. Any of them finds or starts the one dispatcher."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from geomill.app.config import Settings, SettingsError
from geomill.app.engine import reaper
from geomill.app.engine.dispatcher import ELECTION, LOG, SERVING, SOCKET, identity
from geomill.app.tenant_names import DEFAULT
from geomill.jobstore import Admission, JobStore, StatusInfo, StoreBusy, files
from geomill.jobstore.store import PASSABLE

RUNTIME = "runtime"  # in the home: which runtime directory goes with it
_RETRY = 0.05
log = logging.getLogger(__name__)
# what of the server's environment its jobs may see
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "PROJ_DATA", "PROJ_LIB",
              "GDAL_DATA", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # fmt: skip


def open_store(settings: Settings, tenant: str = DEFAULT) -> JobStore:
    """A tenant's job store in the home that the settings name, made if need be.

    Raises SettingsError for a home that no job could use.
    """
    settings.check_job_user()
    _agree(settings)
    admission = Admission(settings.max_queued, settings.min_free_bytes, settings.min_free_inodes)
    return JobStore(settings.home, settings.prepare_runtime_dir(), tenant, admission)


def _agree(settings: Settings) -> None:
    """Let everybody who uses a home use the same runtime directory, where the locks are. Raises SettingsError.

    The home names it; another may be named once nobody works in that any more.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=PASSABLE)
    mark, ours = settings.home / RUNTIME, settings.prepare_runtime_dir()
    try:
        named = Path(os.fsdecode(mark.read_bytes()))
    except FileNotFoundError:
        named = None
    if named == ours:
        return
    if named is not None and any(
        files.is_locked(named / lock, kind=fcntl.LOCK_EX) for lock in (SERVING, ELECTION)
    ):
        raise SettingsError(f"runtime_dir: {settings.home} is being served with {named}: use that one, not {ours}")
    files.write_bytes(mark, os.fsencode(ours), durable=False)


class Engine:
    """Starts, follows and dismisses the jobs of one tenant."""

    def __init__(self, settings: Settings, store: JobStore) -> None:
        """store: the tenant's, in the home that settings name."""
        self.settings, self.store = settings, store
        self.runtime = settings.runtime_dir
        self._held: list[int] = []

    def serve(self, *, insist: bool = True) -> None:
        """Stand for this server from now on: keep a dispatcher alive as long as this process lives.

        insist: one with other settings has to make way for ours.
        """
        self._stand()
        threading.Thread(target=self._succeed, name="election", daemon=True).start()
        if insist:
            threading.Thread(target=self._greet, name="hello", daemon=True).start()

    def start(self, job_id: str) -> None:
        """Wake the dispatcher for an accepted job. Never fails: a dispatcher to come finds the job in the store."""
        with contextlib.suppress(OSError), self._connect() as link:
            _send(link, self._start_of(job_id))

    def run(self, job_id: str, seconds: float) -> StatusInfo:
        """Start a job and wait for its end, at most this long. The latest status."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            started = self._wait_for_start(job_id, deadline)
            if started is not None:
                pidfd = reaper.open_process(started.get("pid"), started.get("start_time"))
                if pidfd is not None:
                    with _closing(pidfd):
                        reaper.wait_for_end(pidfd, deadline - time.monotonic())
                info = self.store.status(job_id)
                if info.status.final:
                    return info
            time.sleep(max(0, min(_RETRY, deadline - time.monotonic())))
        return self.store.status(job_id)

    def dismiss(self, job_id: str, match: str | None = None) -> StatusInfo:
        """End a job. Dismissed when nothing of it is left; still running after grace + 2 s: the dispatcher goes on.

        A job that had finished is left as it is. match: only in the state of this etag.
        Raises NoSuchJob, StatusChanged.
        """
        info = self._ask_dismissal(job_id, match)
        if info.status.final:
            self._tell({"op": "dismiss", "job": job_id})
            return info
        grace = self.store.job(job_id).limits.grace
        pidfd = reaper.open_process(info.pid, info.start_time)
        if pidfd is not None:
            with _closing(pidfd):
                signal.pidfd_send_signal(pidfd, signal.SIGTERM)
                ended = reaper.wait_for_end(pidfd, grace + 2)
            if not ended:
                self._tell({"op": "dismiss", "job": job_id})
                return self.store.status(job_id)
        if not self.store.read_status(job_id).status.final:
            self.ask({"op": "sweep"}, 2.0)  # the supervisor was lost: its leftovers first, then the word
        return self.store.status(job_id)

    def place(self, job_id: str) -> int | None:
        """How many starts until this job's, an estimate; None when it does not wait or nobody can tell."""
        answer = self.ask({"op": "place", "job": job_id}, 0.5)
        return answer.get("place") if answer else None

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The dispatcher's answer, or None when there is none in time."""
        with contextlib.suppress(OSError, ValueError), self._connect(seconds) as link:
            _send(link, message)
            return _receive(link)
        return None

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
            pidfd = reaper.open_process(info.pid, info.start_time)
            if pidfd is not None:
                with _closing(pidfd):
                    self._tell({"op": "dismiss", "job": job_id})
                    reaper.wait_for_end(pidfd, 2)
            return self.store.ask_dismissal(job_id, match)

    def _wait_for_start(self, job_id: str, deadline: float) -> dict[str, Any] | None:
        """{"pid", "start_time"} of the job's supervisor, {"ended"}; None when the dispatcher was lost or time is up."""
        with contextlib.suppress(OSError, ValueError), self._connect(max(0.001, deadline - time.monotonic())) as link:
            _send(link, {**self._start_of(job_id), "wait": True})
            return _receive(link)
        return None

    def _start_of(self, job_id: str) -> dict[str, Any]:
        return {"op": "start", "tenant": self.store.tenant, "job": job_id}

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError), self._connect() as link:
            _send(link, message)

    def _connect(self, seconds: float = 1.0) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(seconds)
            link.connect(str(self.runtime / SOCKET))
        except OSError:
            link.close()
            raise
        return link

    def _stand(self) -> None:
        """Hold what tells others that a server is there; again, if somebody has removed the runtime directory."""
        runtime = self.settings.prepare_runtime_dir()
        held, self._held = self._held, []
        for path, flags in ((runtime / SERVING, os.O_RDWR | os.O_CREAT), (runtime, os.O_RDONLY | os.O_DIRECTORY)):
            # systemd-tmpfiles, which tidies /tmp, leaves a folder alone that is locked
            self._held.append(os.open(path, flags | os.O_CLOEXEC, 0o600))
            fcntl.flock(self._held[-1], fcntl.LOCK_SH)
        for descriptor in held:
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
                    if os.path.samestat(os.fstat(lock), os.stat(path)):  # not one that was removed
                        start_dispatcher(self.settings, lock)
                finally:
                    os.close(lock)
            except (OSError, SettingsError) as error:
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


def start_dispatcher(settings: Settings, lock: int) -> None:
    """Start a dispatcher that holds this election lock; returns when it has been given its settings."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    log = os.open(settings.runtime_dir / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "geomill.app.engine.dispatcher", str(lock)],
            stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=(lock,), env=environment, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(log)
    assert process.stdin
    with process.stdin as channel:
        channel.write(settings.to_json().encode())
    threading.Thread(target=process.wait, name="dispatcher", daemon=True).start()


def _send(link: socket.socket, message: dict[str, Any]) -> None:
    link.sendall(json.dumps(message).encode() + b"\n")


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
