"""gunicorn with our application in it."""

from __future__ import annotations

import gc
import importlib.metadata
import math
import socket
import struct
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from geomill.app import create_app, garbage, loglines
from geomill.app.cli.handed import Named
from geomill.app.cli.master import Master, heed_signals
from geomill.app.cli.worker import Worker
from geomill.app.config import Settings
from geomill.app.engine import isolation

DESCRIPTORS, OF_A_REQUEST = 40, 12  # of a worker itself; of a request that is being answered, beside its connection
MOST_CONNECTIONS = 1000
KEEPALIVE = 7  # seconds: longer than the page of a job waits between two questions (live.RETRY)
PATIENCE = {  # seconds to wait for the next piece of a request, and for a client to take the next piece of an answer
    socket.SO_RCVTIMEO: 10,
    socket.SO_SNDTIMEO: 60,
}


class Web(BaseApplication):  # type: ignore[misc]  # without types
    """gunicorn with our settings instead of its own: it reads no file, variable or option."""

    def __init__(
        self, settings: Settings, listener: socket.socket, welcome: Callable[[], None], before: tuple[Named, ...] = ()
    ) -> None:
        """listener: a socket that listens already, and is ours from now on; welcome: called when workers are started;
        before: workers of the server's earlier life, to be relieved.
        """
        self.settings, self.listener, self.welcome, self.before = settings, listener.detach(), welcome, before
        Worker.relieves = before
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        values: dict[str, Any] = {
            **options(self.settings),
            "bind": f"fd://{self.listener}",
            "loglevel": "warning",
            "proc_name": "geomill",
            "control_socket_disable": True,
            "when_ready": self._ready,
        }
        for name, value in values.items():
            if name in self.cfg.settings:  # not every version has every one
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The application of one worker."""
        app = create_app(self.settings)
        app.engine.serve()
        return app

    def run(self) -> None:
        """Serve until told to end. The code is read here, once, and shared by the workers."""
        load(self.settings)
        Master(self, self.before).run()

    def _ready(self, arbiter: Any) -> None:
        heed_signals()
        limit_patience(arbiter)
        self.welcome()


def load(settings: Settings) -> None:
    """Read the code of a worker, which is forked afterwards: what neither it nor its garbage collector writes to stays
    one copy.
    """
    faces = ["admin", "services", "tasks"] if settings.arcgis else []
    with garbage.put_off():
        for name in ("jsonschema_rs", "geomill.app.api", *(f"geomill.app.arcgis.{face}" for face in faces)):
            importlib.import_module(name)
        importlib.metadata.version("geomill")  # which loads parts of itself when it is first asked
        gc.freeze()


def options(settings: Settings) -> dict[str, Any]:
    """What gunicorn has to be told however it is started; gunicorn.conf.py tells it, too."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    loglines.use(settings.log_format)  # of the logger_class, which is made after this
    return {
        "bind": f"{host}:{settings.port}",
        "worker_class": "geomill.app.cli.worker.Worker",
        "logger_class": "geomill.app.cli.log.Log",
        "workers": settings.workers,
        "threads": settings.threads,
        "keepalive": KEEPALIVE,
        "worker_connections": connections(isolation.take_descriptors(), settings.threads),
        "limit_request_line": 8190,  # its maximum; what is longer it answers itself, with 414
        "graceful_timeout": math.ceil(settings.stop_wait),
        "forwarded_allow_ips": "",  # the application itself decides whom it believes
        "when_ready": limit_patience,
    }


def connections(descriptors: int, threads: int) -> int:
    """How many connections a worker of so many descriptors takes; the others wait, which is better than an error."""
    left = descriptors - DESCRIPTORS
    return min(MOST_CONNECTIONS, max(left - threads * OF_A_REQUEST, left // (1 + OF_A_REQUEST), 1))


def limit_patience(arbiter: Any) -> None:
    """Let no connection hold a thread for ever: the sockets that it is accepted from pass this on."""
    for listener in arbiter.LISTENERS:
        for option, seconds in PATIENCE.items():
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
    arbiter.log.error_log.addFilter(lambda record: not isinstance((record.exc_info or (0, 0))[1], BlockingIOError))
