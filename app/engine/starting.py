"""How a dispatcher is started: a program of its own, which holds the election lock and is told the settings."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import threading

from geomill.app.config import Settings
from geomill.app.engine.runtime import ELECTION, LOG

# what of the server's environment its jobs may see
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "PROJ_DATA", "PROJ_LIB",
              "GDAL_DATA", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # fmt: skip


def begin(settings: Settings) -> None:
    """Start a dispatcher now, where there is none: it loads its code while this process, still without threads, does.

    It is nobody's child. One that cannot be started is started by a worker, which says why it cannot.
    """
    if pid := os.fork():
        os.waitpid(pid, 0)
        return
    with contextlib.suppress(BaseException):
        lock = os.open(settings.runtime_dir / ELECTION, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        start_dispatcher(settings, lock)
    os._exit(0)


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
