"""HTTP as the guard needs it: one request, to given addresses, as a stream that neither stalls nor lasts for ever.

No cookies, no redirects, no proxy but a given one; a certificate must be valid for the host's name.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    RemoteDisconnected,
    UnknownProtocol,
)
from typing import Any

from .egress import connecting
from .egress.connecting import CONNECT, STALL, Timed, left
from .egress.upstream import Upstream
from .guard import CHUNK, PORTS, Target, Unreachable

HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "geomill", "Connection": "close"}


class _SecureSocket(ssl.SSLSocket):
    """A socket that knows when to give up, encrypted."""

    deadline: float

    def recv_into(self, *args: Any, **named: Any) -> int:
        """Receive, within what is left of the time."""
        self.settimeout(left(self.deadline, STALL))
        return super().recv_into(*args, **named)


@contextmanager
def send(
    method: str,
    target: Target,
    way: Sequence[str] | Upstream,
    deadline: float,
    headers: Mapping[str, str],
    body: bytes = b"",
) -> Iterator[HTTPResponse]:
    """The response to a request, its body not yet read. way: addresses, or a proxy; headers: besides ours.

    Raises Refused, Unreachable.
    """
    connection = HTTPConnection(target.host, target.port)
    connection.default_port, connection.auto_open = PORTS[target.scheme], 0
    path, proxied = target.path, {}
    if isinstance(way, Upstream) and target.scheme == "http":
        path, proxied = f"http://{target.authority}{path}", way.headers()
    try:
        try:
            connection.sock = _connect(target, way, deadline)
            connection.sock.settimeout(left(deadline, STALL))  # for what is sent, all of it
            connection.request(method, path, body or None, {**HEADERS, **headers, **proxied})
            response = connection.getresponse()
        except Unreachable:
            raise
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{target.host}:{target.port} does not answer: {_reason(error)}.") from error
        with response:
            if isinstance(way, Upstream):
                connecting.heed(way, response.getheader(connecting.STATUS))
            yield response
    finally:
        connection.close()


def content(response: HTTPResponse, host: str) -> Iterator[bytes]:
    """The body in pieces, unpacked if it was sent packed. Raises Unreachable where it breaks off."""
    try:
        yield from _decoded(_received(response), (response.getheader("Content-Encoding") or "").strip().lower())
    except (OSError, HTTPException, zlib.error) as error:
        raise Unreachable(f"{host} broke off its answer: {_reason(error)}.") from error


def _connect(target: Target, way: Sequence[str] | Upstream, deadline: float) -> Timed | ssl.SSLSocket:
    """A connection to the target; to the proxy, where that shall do the rest."""

    def ready(plain: Timed) -> Timed | ssl.SSLSocket:
        if target.scheme == "http":
            return plain
        if isinstance(way, Upstream) and connecting.tunnel(plain, way, target):
            raise OSError("it speaks before it is asked")
        return _encrypted(plain, target.host)

    if isinstance(way, Upstream):
        return connecting.reach_proxy(way, deadline, ready)
    return connecting.dial(way, target.port, deadline, ready)


def _encrypted(plain: Timed, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.sslsocket_class = _SecureSocket
    plain.settimeout(left(plain.deadline, CONNECT))
    secure = context.wrap_socket(plain, server_hostname=host)
    assert isinstance(secure, _SecureSocket)
    secure.deadline = plain.deadline
    return secure


def _received(response: HTTPResponse) -> Iterator[bytes]:
    yield from iter(lambda: response.read(CHUNK), b"")
    if response.length:  # http.client says nothing when a body ends too early
        raise HTTPException(f"{response.length} bytes are missing")


def _decoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Content without its encoding, never more than a piece at a time, whatever it grows to."""
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise HTTPException(f"it is encoded as {encoding[:40]}, which was not asked for")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
    for chunk in chunks:
        yield unpack.decompress(chunk, CHUNK)
        while unpack.unconsumed_tail:
            yield unpack.decompress(unpack.unconsumed_tail, CHUNK)
    if not unpack.eof:
        raise HTTPException("its gzip data is incomplete")


def _reason(error: BaseException) -> str:
    """What went wrong, as a clause."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, BadStatusLine | UnknownProtocol) and not isinstance(error, RemoteDisconnected):
        return "its answer does not begin as one of HTTP does"  # they repeat it, whatever it is
    return connecting.reason(error)
