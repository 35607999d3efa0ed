"""Heads of messages: what could be understood in two ways is not understood at all."""

from __future__ import annotations

import socket
import time

import pytest

from geomill.app.egress import heads
from geomill.app.egress.heads import Head, Malformed


def test_a_request_is_read() -> None:
    head = Head.of(b"GET http://a.example/b?c HTTP/1.1\r\nHost: a.example\r\nX-A:  1 \r\nX-a:\t2\r\nEmpty:")
    assert head.request() == ("GET", "http://a.example/b?c", 1)
    assert head.all("x-a") == ["1", "2"] and head.all("empty") == [""]


@pytest.mark.parametrize(
    "first",
    [
        "", "GET", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET / HTTP/2.0",
        "GET / HTTP/1.10", "get / HTTP/1.1", "G\0T / HTTP/1.1", "GET /\t HTTP/1.1", "GET /\xa0 HTTP/1.1",
        "GET / HTTP/1.1\rX: y", "GET / HTTP/1.1\nX: y", "GET /" + "a" * 9000 + " HTTP/1.1",
    ],
)  # fmt: skip
def test_a_doubtful_request_line_is_none(first: str) -> None:
    with pytest.raises(Malformed):
        Head.of(first.encode("latin-1")).request()


@pytest.mark.parametrize(
    "field",
    [
        "X", "X :1", " X: 1", ": 1", "X: 1\n Y: 2", "X: 1\rY: 2", "X: 1\0", "X\t: 1", "X\xe4: 1", "(X): 1", "X: \x7f",
        "\tfolded", "X: 1\r\n folded",
    ],
)  # fmt: skip
def test_a_doubtful_field_is_none(field: str) -> None:
    with pytest.raises(Malformed):
        Head.of(f"GET / HTTP/1.1\r\n{field}".encode("latin-1"))


@pytest.mark.parametrize(
    "fields", ["Content-Length: 1\r\nContent-Length: 1", "Content-Length: +1", "Content-Length: 1, 1",
               "Content-Length: 0x1", "Content-Length: \xb2", "Content-Length:", "Content-Length: -1"]
)  # fmt: skip
def test_a_doubtful_length_is_none(fields: str) -> None:
    with pytest.raises(Malformed):
        Head.of(f"POST / HTTP/1.1\r\n{fields}".encode("latin-1")).length()


@pytest.mark.parametrize("coding", ["gzip, chunked", "identity", "chunked, identity", "xchunked", ""])
def test_a_body_is_chunked_or_it_is_not(coding: str) -> None:
    with pytest.raises(Malformed):
        Head.of(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}".encode()).chunked()
    assert Head.of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked").chunked()


def test_what_concerns_a_connection_stays_behind() -> None:
    fields = "Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nProxy-Authorization: Basic x\r\nTE: trailers\r\nX-Other: 2"
    head = Head.of(f"GET / HTTP/1.1\r\n{fields}\r\nUpgrade: h2c\r\nHost: b\r\nContent-Length: 3".encode())
    assert head.end_to_end() == [("x-other", "2")]


def test_a_head_ends_where_it_ends_however_it_comes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"GET / HTTP/1.1\r\nA: b\r\n\r\nbody")
        head, behind = heads.receive(ours, time.monotonic() + 5)
        assert (head.all("a"), behind) == (["b"], b"body")
        theirs.sendall(b"\n GET / HTTP/1.1\r\n\r\n")
        head, behind = heads.receive(ours, time.monotonic() + 5, b"GET / HTTP/1.0\r\n\r")
        assert head.request()[2] == 0 and behind == b" GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("sent, error", [(b"", EOFError), (b"GET / HT", Malformed), (b"A" * 70_000, Malformed)])
def test_half_a_head_is_none(sent: bytes, error: type[Exception]) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(sent)
        with pytest.raises(error):
            heads.receive(ours, time.monotonic() + 5)


def test_a_head_comes_in_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        heads.receive(ours, time.monotonic() + 0.05)
