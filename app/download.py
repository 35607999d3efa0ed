"""HTTP as the guard needs it: one GET, to given addresses, as a stream that neither stalls nor lasts for ever.

No proxies, no cookies, no redirects, no credentials; a certificate must be valid for the host's name.
"""

from __future__ import annotations

import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from .guard import CHUNK, PORTS, Target, Unreachable

CONNECT = 10.0  # seconds for a connection, and again for its encryption
STALL = 60.0  # seconds without a byte
ADDRESSES = 4  # of one host that are tried
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "geomill", "Connection": "close"}


class _Socket(socket.socket):
    """A socket that knows when to give up."""

    deadline: float

    def recv_into(self, *args: Any, **named: Any) -> int:
        """Receive, within what is left of the time."""
        self.settimeout(_left(self.deadline, STALL))
        return super().recv_into(*args, **named)


class _SecureSocket(ssl.SSLSocket):
    """The same, encrypted."""

    deadline: float

    def recv_into(self, *args: Any, **named: Any) -> int:
        """Receive, within what is left of the time."""
        self.settimeout(_left(self.deadline, STALL))
        return super().recv_into(*args, **named)


@contextmanager
def get(target: Target, addresses: Sequence[str], deadline: float) -> Iterator[HTTPResponse]:
    """The response to a GET, its body not yet read. Raises Unreachable."""
    connection = HTTPConnection(target.host, target.port)
    connection.default_port, connection.auto_open = PORTS[target.scheme], 0
    try:
        try:
            connection.sock = _connect(target, addresses, deadline)
            connection.request("GET", target.path, headers=HEADERS)
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{target.host}:{target.port} does not answer: {_reason(error)}.") from error
        with response:
            yield response
    finally:
        connection.close()


def content(response: HTTPResponse, host: str) -> Iterator[bytes]:
    """The body in pieces, unpacked if it was sent packed. Raises Unreachable where it breaks off."""
    try:
        yield from _decoded(_received(response), (response.getheader("Content-Encoding") or "").strip().lower())
    except (OSError, HTTPException, zlib.error) as error:
        raise Unreachable(f"{host} broke off its answer: {_reason(error)}.") from error


def _connect(target: Target, addresses: Sequence[str], deadline: float) -> socket.socket:
    """A connection to the first of the addresses that takes one."""
    failure: OSError = OSError("it has no address")
    for address in addresses[:ADDRESSES]:
        plain = _Socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        plain.deadline = deadline
        try:
            plain.settimeout(_left(deadline, CONNECT))
            plain.connect((address, target.port))
            return _encrypted(plain, target.host) if target.scheme == "https" else plain
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
    raise failure


def _encrypted(plain: _Socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.sslsocket_class = _SecureSocket
    plain.settimeout(_left(plain.deadline, CONNECT))
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


def _left(deadline: float, most: float) -> float:
    """Seconds until the deadline, but no more than `most`."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return min(left, most)


def _reason(error: BaseException) -> str:
    """What went wrong, as a clause."""
    if isinstance(error, TimeoutError):
        return str(error) if "too long" in str(error) else "it is too slow"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:].rstrip(".")
