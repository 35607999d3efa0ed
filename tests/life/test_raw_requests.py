"""Bytes that two programs might read as other requests, sent to a real server: each is one answer, and never a 5xx."""

from __future__ import annotations

import errno
import json
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.mills import Mill, serving

from geomill.app import live
from geomill.app.config import Settings

BODY = b'{"inputs": {"seconds": 0}}'
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HOST = b"Host: localhost\r\n"
POST = b"POST /processes/nap/execution HTTP/1.1\r\n" + HOST
ELSEWHERE = POST.replace(b"localhost", b"evil.example")
HIDDEN = b"GET /conformance HTTP/1.1\r\nHost: localhost\r\n\r\n"  # behind each: it must not be a request of its own


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Mill]:
    """A server for the requests of this file."""
    root = tmp_path_factory.mktemp("mill")
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(folder,))
    with serving(settings, "--workers", "1", shared=True) as mill:
        yield mill


def answers(mill: Mill, content: bytes, seconds: float = 20) -> list[tuple[int, bytes]]:
    """Status and all of each answer to what is sent."""
    parts = urlsplit(mill.url)
    received = b""
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=seconds) as link:
        try:
            link.sendall(content)
            link.shutdown(socket.SHUT_WR)
            while piece := link.recv(65536):
                received += piece
        except OSError as error:  # it did not read all of it
            assert error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)
    pieces = re.split(rb"(?=HTTP/1\.[01] \d{3} [\w -]+\r\n)", received)[1:]
    return [(int(piece[9:12]), piece) for piece in pieces]


AMBIGUOUS = {
    "a length and chunks": POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks and a length": POST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + LENGTH + b"Content-Length: 5\r\n\r\n" + BODY,
    "one length twice": POST + LENGTH + LENGTH + b"\r\n" + BODY,
    "two lengths in one": POST + b"Content-Length: 26, 26\r\n\r\n" + BODY,
    "a length with a sign": POST + b"Content-Length: +26\r\n\r\n" + BODY,
    "a length in hex": POST + b"Content-Length: 0x1a\r\n\r\n" + BODY,
    "a length with an underscore": POST + b"Content-Length: 2_6\r\n\r\n" + BODY,
    "a length below zero": POST + b"Content-Length: -1\r\n\r\n" + BODY,
    "no length": POST + b"Content-Length:\r\n\r\n" + BODY,
    "a length in other digits": POST + b"Content-Length: \xb2\r\n\r\n" + BODY,
    "chunks twice": POST + CHUNKED + CHUNKED + b"\r\n" + CHUNKS,
    "chunks of something": POST + b"Transfer-Encoding: xchunked\r\n" + LENGTH + b"\r\n" + BODY,
    "packed chunks": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "chunks that are not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "no coding, and a length": POST + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n" + BODY,
    "chunks behind a tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "chunks in HTTP/1.0": POST.replace(b"/1.1", b"/1.0") + CHUNKED + b"\r\n" + CHUNKS,
    "a space before the colon": POST + b"Content-Length : 26\r\n\r\n" + BODY,
    "a space before the colon of chunks": POST + b"Transfer-Encoding : chunked\r\n" + LENGTH + b"\r\n" + BODY,
    "a space before a name": POST.replace(b"Host", b" Host") + LENGTH + b"\r\n" + BODY,
    "a folded line": POST + b"X: a\r\n " + LENGTH + b"\r\n" + BODY,
    "folded chunks": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "lines without CR": (POST + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + BODY,
    "one line without CR": POST + b"X: a\n" + LENGTH + b"\r\n" + BODY,
    "one line without LF": POST + b"X: a\r" + LENGTH + b"\r\n" + BODY,
    "a NUL": POST + b"X: a\0b\r\n" + LENGTH + b"\r\n" + BODY,
    "two hosts": POST + b"Host: evil.example\r\n" + LENGTH + b"\r\n" + BODY,
    "a size in hex with 0x": POST + CHUNKED + b"\r\n0x" + CHUNKS,
    "a size with a sign": POST + CHUNKED + b"\r\n+" + CHUNKS,
    "a size below zero": POST + CHUNKED + b"\r\n-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size with an underscore": POST + CHUNKED + b"\r\n1_a\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size with a space": POST + CHUNKED + b"\r\n " + CHUNKS,
    "a size that is too small": POST + CHUNKED + b"\r\n9\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size of forty digits": POST + CHUNKED + b"\r\n" + b"f" * 40 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunks without CR": POST + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b"\n"),
    "an extension without CR": POST + CHUNKED + b"\r\n1a;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a length behind the chunks": POST + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"Content-Length: 5\r\n\r\n",
    "credentials behind the chunks": POST + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"Authorization: Bearer a\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_request_that_may_be_read_in_two_ways_is_refused_once_and_does_nothing(mill: Mill, case: str) -> None:
    before = len(list(mill.store.walk()))
    ((status, answer),) = answers(mill, AMBIGUOUS[case] + HIDDEN)
    assert status in (400, 415), answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head and b"nosniff" in head and json.loads(body)["status"] == status
    assert len(list(mill.store.walk())) == before


UNREAD = {
    "a GET with a body": (b"GET /jobs HTTP/1.1\r\n" + HOST, 200),
    "a GET of nothing": (b"GET /none HTTP/1.1\r\n" + HOST, 404),
    "a HEAD with a body": (b"HEAD /jobs HTTP/1.1\r\n" + HOST, 200),
    "an OPTIONS with a body": (b"OPTIONS /jobs HTTP/1.1\r\n" + HOST, 200),
    "a DELETE with a body": (b"DELETE /jobs/x HTTP/1.1\r\n" + HOST, 404),
    "a foreign page": (POST + b"Origin: null\r\n", 403),
    "a foreign host": (ELSEWHERE, 421),
    "a packed body": (POST + b"Content-Encoding: gzip\r\n", 415),
    "a method that is not there": (b"PATCH /jobs HTTP/1.1\r\n" + HOST, 405),
}


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("case", UNREAD)
def test_a_body_that_nobody_reads_is_no_request(mill: Mill, case: str, framing: str) -> None:
    head, expected = UNREAD[case]
    body = {
        "length": b"Content-Length: %d\r\n\r\n%s" % (len(HIDDEN), HIDDEN),
        "chunks": CHUNKED + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    }
    assert [status for status, _ in answers(mill, head + body[framing])] == [expected]


OTHER_HOSTS = {
    "no host": (POST.replace(HOST, b""), 400),
    "an empty host": (POST.replace(b"localhost", b""), 400),
    "no host in HTTP/1.0": (POST.replace(HOST, b"").replace(b"/1.1", b"/1.0"), 200),
    "a whole address of another host": (b"POST http://evil.example/processes/nap/execution HTTP/1.1\r\n" + HOST, 421),
    "a name in an address": (b"POST http://localhost@evil.example/processes/nap/execution HTTP/1.1\r\n" + HOST, 400),
    "a whole address of this host": (b"POST http://localhost/processes/nap/execution HTTP/1.1\r\n" + HOST, 200),
    "another host": (ELSEWHERE, 421),
    "another host and a page of it": (ELSEWHERE + b"Origin: http://evil.example\r\n", 421),
    "this host and a page of another": (POST + b"Origin: http://evil.example\r\n", 403),
    "another host that a proxy would name": (ELSEWHERE + b"X-Forwarded-Host: localhost\r\n", 421),
    "an underscore for a hyphen": (POST + b"Transfer_Encoding: chunked\r\n", 200),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER_HOSTS)
def test_a_request_is_for_the_host_that_it_names(mill: Mill, case: str) -> None:
    head, expected = OTHER_HOSTS[case]
    before = len(list(mill.store.walk()))
    assert [status for status, _ in answers(mill, head + LENGTH + b"\r\n" + BODY)] == [expected]
    assert len(list(mill.store.walk())) == before + (expected == 200)


NO_REQUESTS = {
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/0.9 that says so": b"GET / HTTP/0.9\r\n" + HOST + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3": b"GET / HTTP/3\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)) + b"\r\n\r\n",
    "a proxy's greeting": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "tabs": b"GET\t/\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path without a slash": b"GET jobs HTTP/1.1\r\n" + HOST + b"\r\n",
    "an escape": b"GET /\x1b[31m HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes that are no ASCII": "GET /grün HTTP/1.1\r\n".encode() + HOST + b"\r\n",
    "a method that is none": b"G\x1b[31mT / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an echo": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "everything": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "an expectation": POST + b"Expect: 200-ok\r\n" + LENGTH + b"\r\n" + BODY,
    "a line without an end": b"GET /" + b"a" * 100_000,
    "a header without an end": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100_000,
    "headers without an end": b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: a\r\n" % n for n in range(5000)),
    "much of headers": b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(200)),
    "a name of a megabyte": b"GET / HTTP/1.1\r\n" + HOST + b"X" * 1_000_000 + b": a\r\n\r\n",
}


@pytest.mark.parametrize("case", NO_REQUESTS)
def test_what_is_no_request_of_ours_is_refused_once_or_not_answered(mill: Mill, case: str) -> None:
    found = answers(mill, NO_REQUESTS[case])
    assert len(found) <= 1 and all(400 <= status < 500 for status, _ in found), found
    assert all(b"text/html" not in answer for _, answer in found)
    assert mill.call("GET", "/").status == 200


def test_two_requests_that_are_clear_are_two_answers(mill: Mill) -> None:
    """As long as that is so, the tests above tell something."""
    for body in (LENGTH + b"\r\n" + BODY, CHUNKED + b"\r\n" + CHUNKS):
        found = answers(mill, POST + body + HIDDEN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert [status for status, _ in found] == [200, 200] and b"conformsTo" in found[1][1]


def test_a_request_that_comes_letter_by_letter_holds_nobody_up(mill: Mill) -> None:
    parts, begun = urlsplit(mill.url), time.monotonic()
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20) as slow:
        for letter in HIDDEN[:-2]:
            slow.sendall(bytes([letter]))
            if letter == ord(" "):
                assert mill.call("GET", "/conformance").status == 200
        slow.sendall(b"\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"
    assert time.monotonic() - begun < 20


def test_a_page_that_follows_a_job_asks_through_one_connection(mill: Mill) -> None:
    parts = urlsplit(mill.url)
    with closing(HTTPConnection(str(parts.hostname), parts.port, timeout=20)) as connection:
        for pause in (max(live.RETRY) / 1000, 0.0):
            connection.request("GET", "/conformance")
            assert connection.getresponse().read()
            link = connection.sock
            time.sleep(pause)
            assert link is connection.sock and not select.select([link], [], [], 0)[0]  # else it was closed
