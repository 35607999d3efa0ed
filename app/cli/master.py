"""gunicorn's master, and how it begins anew in the same process, with what is installed and set now.

    SIGHUP -> the command is tried in a child, without serving: what is wrong is logged, and nothing changes
           -> the master executes the command in its own place: the same pid, the same listening sockets
           -> its new workers are ready -> the old ones are told to end, and finish their requests first

No connection is refused meanwhile: the sockets stay open. So this is how settings are reloaded, and how an upgrade of
Geomill, of a library or of Python is taken up: there is one way for both.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from typing import Any, NoReturn

from gunicorn.arbiter import Arbiter

from geomill.app import loglines
from geomill.app.cli.handed import HANDED, Handed, Named
from geomill.app.cli.worker import relieve
from geomill.app.engine import reaper

CHECK = "--check"
log = logging.getLogger(__name__)
CHECK_SECONDS = 60
_STOPPING, _RELOADING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}, {signal.SIGHUP, signal.SIGUSR2}
_HELD_BACK = _STOPPING | _RELOADING | {signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH}


class Master(Arbiter):  # type: ignore[misc]  # without types
    """Ctrl-C ends it as SIGTERM does, the second one at once. SIGUSR2, gunicorn's word for an upgrade, is SIGHUP."""

    handle_int = Arbiter.handle_term

    def __init__(self, app: Any, before: tuple[Named, ...] = ()) -> None:
        """before: workers of the server's earlier life."""
        self.before = before
        self.ending = False
        self._seldom = loglines.Seldom(10)
        super().__init__(app)

    def handle_hup(self) -> None:
        """Begin anew with what is on disk, unless that cannot work."""
        handed = Handed(self.LISTENERS[0].fileno(), (*self._own(), *_alive(self.before)))
        handed.give()
        here = self.START_CTX["cwd"]
        if trouble := try_out(handed.listener, here):
            os.environ.pop(HANDED, None)
            self.log.error("not reloaded, everything stays as it was: %s", trouble)
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)  # those to come are heeded by heed_signals
        try:
            if not self._is_to_end():
                self.log.warning("Reloading.")
                begin_anew(here)
        except OSError as error:
            self.log.error("not reloaded, everything stays as it was: %s", error)
        os.environ.pop(HANDED, None)
        heed_signals()

    handle_usr2 = handle_hup

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Called by gunicorn: what has come; nothing is left of that after a reload, so it comes last."""
        return sorted(super().wait_for_signals(timeout), key=_RELOADING.__contains__)

    def _is_to_end(self) -> bool:
        """Whether a signal to stop came meanwhile; it stays in the queue."""
        queue, came = self.SIG_QUEUE, []
        while not queue.empty():
            came.append(queue.get_nowait())
        for number in came:
            queue.put_nowait(number)
        return not _STOPPING.isdisjoint(came)

    def stop(self, graceful: bool = True) -> None:
        """Called by gunicorn: end all workers, those of the earlier life among them."""
        deadline = time.monotonic() + self.cfg.graceful_timeout
        self.ending = graceful
        log.info("Stopping; requests end first." if graceful else "Stopping.")
        relieve(self.before)
        super().stop(graceful)
        while (left := _alive(self.before)) and graceful and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid, _ in left:
            os.kill(pid, signal.SIGKILL)  # a child that nobody has waited for is no other process
        log.info("Stopped.")

    def spawn_workers(self) -> None:
        """Called by gunicorn every second, while there are too few: where none can be forked now, one may be soon."""
        try:
            super().spawn_workers()
        except OSError as error:
            self._seldom.say(self.log.error_log, "no worker can be started, it is tried again: %s", error)

    def reap_workers(self) -> None:
        """Called by gunicorn, at the end again and again: a worker that was only forked then has heard nothing."""
        super().reap_workers()
        if self.ending:
            self.kill_workers(signal.SIGTERM)

    def _own(self) -> list[Named]:
        return [(pid, reaper.start_time(pid)) for pid in self.WORKERS]


def command() -> list[str]:
    """How this program was called: a link in its path may lead to another installation by now."""
    return sys.argv if os.access(sys.argv[0], os.X_OK) else sys.orig_argv


def try_out(listener: int, folder: str) -> str:
    """What the command, as it is now and begun in this folder, has against serving; "" for nothing."""
    try:
        done = subprocess.run(
            [*command(), CHECK], pass_fds=[listener], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=CHECK_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
    return lines[-1].removeprefix("Error: ") if done.returncode else ""


def begin_anew(folder: str) -> NoReturn:
    """Execute the command in this process; the signals that are blocked stay so."""
    os.chdir(folder)
    arguments = command()
    os.execvp(arguments[0], arguments)


def heed_signals() -> None:
    """Take those that came since the command began anew: there are handlers now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)


def _alive(workers: tuple[Named, ...]) -> list[Named]:
    found = []
    for each in workers:
        pidfd = reaper.open_process(*each)
        if pidfd is not None:
            os.close(pidfd)
            found.append(each)
    return found
