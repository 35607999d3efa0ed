"""A TCP connection to where the guard lets one go: to an address that it has checked, or by a proxy."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from geomill.app.egress import heads
from geomill.app.egress.upstream import Upstream
from geomill.app.guard import Refused, Target, Unreachable, resolve

CONNECT = 10.0  # seconds for a connection, and again for its encryption
STALL = 60.0  # seconds without a byte
ADDRESSES = 4  # of one host that are tried
STATUS = "Proxy-Status"  # the field by which a proxy of ours says why it refuses. RFC 9209
REFUSED, UNREACHABLE = "http_request_denied", "destination_unavailable"

Link = TypeVar("Link", bound=socket.socket)


class Timed(socket.socket):
    """A socket that knows when to give up."""

    deadline: float

    def recv_into(self, *args: Any, **named: Any) -> int:
        """Receive, within what is left of the time."""
        self.settimeout(left(self.deadline, STALL))
        return super().recv_into(*args, **named)


def dial(addresses: Sequence[str], port: int, deadline: float, then: Callable[[Timed], Link]) -> Link:
    """A connection to the first of the addresses that takes one and goes well. Raises OSError."""
    failure: OSError = OSError("it has no address")
    for address in addresses[:ADDRESSES]:
        plain = Timed(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        plain.deadline = deadline
        try:
            plain.settimeout(left(deadline, CONNECT))
            plain.connect((address, port))
            return then(plain)
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
    raise failure


def reach_proxy(upstream: Upstream, deadline: float, then: Callable[[Timed], Link]) -> Link:
    """A connection to a proxy. Raises OSError."""
    try:
        addresses = list(resolve(upstream.host, upstream.port))
    except UnicodeError as error:
        raise OSError(f"{upstream.host} is no name of a host") from error
    return dial(addresses, upstream.port, deadline, then)


def connect(target: Target, way: Sequence[str] | Upstream, deadline: float, *, tunnelled: bool) -> tuple[Timed, bytes]:
    """A connection to the target, and what that has said already; if it is not tunnelled, perhaps one to the proxy.

    Raises Refused, Unreachable.
    """
    said = b""

    def ready(link: Timed) -> Timed:
        nonlocal said
        if tunnelled and isinstance(way, Upstream):
            said = tunnel(link, way, target)
        return link

    try:
        if isinstance(way, Upstream):
            return reach_proxy(way, deadline, ready), said
        return dial(way, target.port, deadline, ready), said
    except Unreachable:
        raise
    except OSError as error:
        raise Unreachable(f"{target.host}:{target.port} does not answer: {reason(error)}.") from error


def tunnel(link: Timed, upstream: Upstream, target: Target) -> bytes:
    """Ask a proxy for a connection to the target on this one; what the target has said already.

    Raises Refused, Unreachable, OSError.
    """
    fields = [("Host", target.authority), *upstream.headers().items()]
    link.sendall(heads.written(f"CONNECT {target.authority} HTTP/1.1", fields))
    try:
        head, behind = heads.receive(link, link.deadline)
        status = head.status()
    except (EOFError, heads.Malformed) as error:
        raise Unreachable(f"The proxy {upstream.host} does not speak HTTP: {error}.") from error
    if status // 100 != 2:
        heed(upstream, next(iter(head.all(STATUS.lower())), None))
        raise Unreachable(f"The proxy {upstream.host} does not lead to {target.host}: it answered {head.first[9:]}.")
    return behind


def heed(upstream: Upstream, said: str | None) -> None:
    """Raise Refused or Unreachable, if that is what a proxy of ours has said. said: its Proxy-Status."""
    match = re.fullmatch(r'geomill; error=(\w+); details="(.*)"', said or "")
    if upstream.guards and match:
        raise (Refused if match[1] == REFUSED else Unreachable)(re.sub(r"\\(.)", r"\1", match[2]))


def status(error: str, details: str) -> tuple[str, str]:
    """The field that `heed` understands."""
    text = re.sub(r"[^\x20-\x7e]", "?", details)
    return STATUS, 'geomill; error={}; details="{}"'.format(error, re.sub(r'(["\\])', r"\\\1", text))


def reason(error: BaseException) -> str:
    """What went wrong, as a clause."""
    if isinstance(error, TimeoutError):
        return str(error) if "too long" in str(error) else "it is too slow"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:].rstrip(".")


def left(deadline: float, most: float) -> float:
    """Seconds until the deadline, but no more than `most`. Raises TimeoutError after it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("it took too long")
    return min(seconds, most)
