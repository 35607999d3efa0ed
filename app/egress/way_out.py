"""The socket that a job connects to: made where the job is, held and served where the host's network is."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from geomill.app.egress.upstream import Upstream

USER = "job"
_WAITING = 128  # connections
_NONE = b"-"  # in place of a token
_LONGEST = 64  # bytes of a token


@dataclass(frozen=True)
class WayOut:
    """What a job knows of it. proxy: its address; apart: there is no other way, but nobody else on this one either."""

    proxy: str
    apart: bool

    @property
    def upstream(self) -> Upstream | None:
        """The proxy, for a guard."""
        return Upstream.of(self.proxy, guards=True)


def make(link: socket.socket, *, apart: bool) -> WayOut:
    """Make the socket, in this process's network, and hand it over. apart: nobody else is in that network."""
    token = "" if apart else os.urandom(_LONGEST // 2).hex()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(_WAITING)
        socket.send_fds(link, [token.encode() or _NONE], [listener.fileno()])
        host, port = listener.getsockname()
    return WayOut(f"http://{USER}:{token}@{host}:{port}" if token else f"http://{host}:{port}", apart)


def take(link: socket.socket) -> tuple[socket.socket | None, str]:
    """The socket that the other side has made, and its token; None when that has ended instead."""
    said, descriptors, _, _ = socket.recv_fds(link, _LONGEST, 1)
    return (socket.socket(fileno=descriptors[0]) if descriptors else None), said.removeprefix(_NONE).decode()
