"""Requests that break off, or are no HTTP, sent to a real server byte by byte."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.mills import Mill, serving

from geomill.app.config import Settings

BODY = b'{"inputs": {"echoInput": "x"}}'
HEAD = b"POST /processes/echo/execution HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server for the requests of this file."""
    root = tmp_path_factory.mktemp("mill")
    with serving(Settings(home=root / "home", runtime_dir=root / "run"), shared=True) as mill:
        yield mill


def send(mill: Mill, content: bytes) -> bytes:
    """What comes back when this is sent and nothing after it."""
    parts = urlsplit(mill.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20) as link:
        link.sendall(content)
        link.shutdown(socket.SHUT_WR)
        received = b""
        while piece := link.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize(
    "content, detail",
    [
        (b"Content-Length: 500\r\n\r\n" + BODY, "The body breaks off after 30 of 500 bytes."),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "The body breaks off, or its chunks are malformed."),
        (b"Transfer-Encoding: chunked\r\n\r\n1e\r\n" + BODY[:9], "The body breaks off, or its chunks are malformed."),
    ],
)
def test_a_body_that_breaks_off_executes_nothing(mill: Mill, content: bytes, detail: str) -> None:
    before = len(list(mill.store.walk()))
    head, _, body = send(mill, HEAD + content).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["detail"] == detail
    assert len(list(mill.store.walk())) == before


def test_a_body_in_chunks_is_executed(mill: Mill) -> None:
    content = b"Transfer-Encoding: chunked\r\n\r\n1e\r\n" + BODY + b"\r\n0\r\n\r\n"
    assert send(mill, HEAD + content).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("content", [b"", b"GET\r\n\r\n", b"\0\1\2", b"GET / HTTP/9.9\r\n\r\n", HEAD])
def test_what_is_no_request_harms_nobody(mill: Mill, content: bytes) -> None:
    send(mill, content)
    assert mill.call("GET", "/").status == 200


def test_clients_that_do_not_close_hold_up_nobody(mill: Mill) -> None:
    parts = urlsplit(mill.url)
    with ExitStack() as stack:
        links = [
            stack.enter_context(socket.create_connection((str(parts.hostname), parts.port or 80))) for _ in range(60)
        ]
        for link in links:
            link.sendall(b"GET /conformance HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        begun = time.monotonic()
        assert mill.call("GET", "/").status == 200
        assert time.monotonic() - begun < 10, "it would be 60 seconds, were each waited for"
        for link in links:  # whole answers, and then the end: the server closes by itself
            received = b""
            while piece := link.recv(65536):
                received += piece
            assert received.startswith(b"HTTP/1.1 200 ") and received.endswith(b"}\n")


def test_a_refusal_comes_through_while_the_client_still_sends(mill: Mill) -> None:
    parts = urlsplit(mill.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20) as link:
        link.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n" + bytes(60_000))
        assert link.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.thorough
def test_a_sender_that_stops_in_the_middle_holds_no_thread_for_ever(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    with serving(settings, "--workers", "1", "--threads", "2") as mill, ExitStack() as stack:
        parts = urlsplit(mill.url)
        for content in (b"G", HEAD + b"Content-Length: 9\r\n\r\n{"):
            link = stack.enter_context(socket.create_connection((str(parts.hostname), parts.port or 80)))
            link.sendall(content)
        assert mill.call("GET", "/").status == 200
