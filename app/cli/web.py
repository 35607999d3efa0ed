"""gunicorn with our application in it."""

from __future__ import annotations

import socket
import struct
from typing import Any

from gunicorn.app.base import BaseApplication

from geomill.app import create_app
from geomill.app.config import Settings

PATIENCE = {  # seconds to wait for the next piece of a request, and for a client to take the next piece of an answer
    socket.SO_RCVTIMEO: 10,
    socket.SO_SNDTIMEO: 60,
}
GRACEFUL_SECONDS = 10  # a worker that is told to stop lets its requests end; jobs go on anyway


class Web(BaseApplication):  # type: ignore[misc]  # without types
    """gunicorn with our settings instead of its own: it reads no file, variable or option."""

    def __init__(self, settings: Settings, listener: socket.socket, welcome: str) -> None:
        """listener: a socket that listens already; welcome: printed once workers are started."""
        self.settings, self.listener, self.welcome = settings, listener, welcome
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        values: dict[str, Any] = {
            **options(self.settings),
            "bind": f"fd://{self.listener.fileno()}",
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

    def _ready(self, arbiter: Any) -> None:
        limit_patience(arbiter)
        print(self.welcome, flush=True)


def options(settings: Settings) -> dict[str, Any]:
    """What gunicorn has to be told however it is started; gunicorn.conf.py tells it, too."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "worker_class": "gthread",
        "workers": settings.workers,
        "threads": settings.threads,
        "limit_request_line": 8190,  # its maximum; what is longer it answers itself, with 414
        "graceful_timeout": GRACEFUL_SECONDS,
        "forwarded_allow_ips": "",  # the application itself decides whom it believes
        "when_ready": limit_patience,
    }


def limit_patience(arbiter: Any) -> None:
    """Let no connection hold a thread for ever: the sockets that it is accepted from pass this on."""
    for listener in arbiter.LISTENERS:
        for option, seconds in PATIENCE.items():
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
    arbiter.log.error_log.addFilter(lambda record: not isinstance((record.exc_info or (0, 0))[1], BlockingIOError))
