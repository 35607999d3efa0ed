"""The supervisor's end of a job's way out: it holds the socket that the job connects to, and has it served.

The child makes the socket in the network that it is in, and hands it over before it knows its job. The proxy that
serves it is forked at the first connection, out here where the host's network is, and again if it has gone: as long
as the socket is held, who connects waits and is not refused.
"""

from __future__ import annotations

import os
import select
import signal
import socket

from geomill.app.config import Settings
from geomill.app.egress import way_out
from geomill.app.egress.proxy import Proxy
from geomill.app.egress.relay import Traffic
from geomill.app.egress.upstream import Upstream
from geomill.app.engine import isolation
from geomill.app.guard import Guard


class Gate:
    """What the supervisor does about it."""

    def __init__(self, settings: Settings) -> None:
        """Nothing yet."""
        self._settings = settings
        self._listener: socket.socket | None = None
        self._token = ""
        self._traffic: Traffic | None = None
        self._proxy: int | None = None

    def take(self, link: socket.socket) -> None:
        """Take the socket from a child that has made it, or is about to."""
        self._listener, self._token = way_out.take(link)

    def watch(self, poll: select.poll) -> int:
        """Let a first connection wake who polls, while no proxy waits for it; the descriptor that does, or -1."""
        if self._listener is None:
            return -1
        poll.register(self._listener, 0 if self._proxy else select.POLLIN)
        return self._listener.fileno()

    def open(self, log: int) -> None:
        """Have the connections served. log: where refusals are written down."""
        assert self._listener
        listener, token, settings = self._listener, self._token, self._settings
        traffic = self._traffic = self._traffic or Traffic(settings.max_traffic)
        self._proxy = os.fork()
        if self._proxy:
            return
        try:
            isolation.close_all_but([0, 1, 2, log, listener.fileno()])
            isolation.set_name("geomill-proxy")
            isolation.die_with_parent()
            isolation.expose_to_oom_killer()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a job that is asked to end may have something to finish
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            guard = Guard(settings.allow, upstream=Upstream.of(settings.upstream_proxy))
            Proxy(guard, traffic, token, lambda line: os.write(log, f"{line}\n".encode())).serve(listener)
        finally:
            os._exit(0)

    def ended(self, pid: int) -> None:
        """Take note that a child of the supervisor has ended."""
        if pid == self._proxy:
            self._proxy = None
