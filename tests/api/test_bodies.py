"""Bodies, addresses and headers that are made to hurt: refused clearly, soon, and in little memory."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.mills import Mill, serving
from support.variants import first

from geomill.app.config import Settings

MB = 10**6
LONGEST = 10.0  # seconds of a worker's processor for one request: machines differ, and a second is usual
MOST = 200 * MB  # bytes of memory that a worker may need for a body of 10 MB


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server of one worker, whose memory can be told."""
    root = tmp_path_factory.mktemp("mill")
    settings = Settings(home=root / "home", runtime_dir=root / "run")
    with serving(settings, "--workers", "1", shared=True) as mill:
        mill.call("POST", "/processes/echo/execution", {"inputs": {"echoInput": "warm"}})
        yield mill


def exchange(mill: Mill, content: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to these bytes, on a connection of their own."""
    parts = urlsplit(mill.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=120) as link:
        link.sendall(content)
        received = b""
        while piece := link.recv(65536):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def post(mill: Mill, body: bytes, path: str = "/processes/echo/execution", **headers: str) -> tuple[int, bytes]:
    """What a body is answered with; names of headers are written with an underscore."""
    named = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(body)), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in named.items()), "", ""]
    return exchange(mill, "\r\n".join(lines).encode() + body)


def peak(mill: Mill, *, reset: bool = False) -> int:
    """The most memory that the worker had, in bytes, since it was reset."""
    (worker,) = mill.workers()
    if reset:
        Path(f"/proc/{worker}/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
    assert found
    return int(found[1]) * 1024


def spent(mill: Mill) -> float:
    """Seconds of processor time that the worker has used."""
    (worker,) = mill.workers()
    ticks = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / 100


def inputs(value: bytes) -> bytes:
    return b'{"inputs": {"echoInput": ' + value + b"}}"


BODIES = {
    "brackets, 100 000 deep": (inputs(b"[" * 100_000 + b"]" * 100_000), "nested deeper than 64 levels"),
    "brackets, 5 000 000 deep": (inputs(b"[" * 5 * MB), "nested deeper than 64 levels"),
    "braces, deep": (b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000, "nested deeper than 64 levels"),
    "a number of a million digits": (inputs(b"9" * MB), "does not fit 64 bits"),
    "a float of a million digits": (inputs(b"1." + b"9" * MB + b"e999"), "which is too large"),
    "a large exponent": (inputs(b"1e999999"), "holds the number 1e999999, which is too large"),
    "a negative one": (inputs(b"-1e999999"), "which is too large"),
    "not a number": (inputs(b"NaN"), "holds NaN, which JSON does not have"),
    "infinity": (inputs(b"Infinity"), "which JSON does not have"),
    "half a surrogate pair": (inputs(b'"\\ud800"'), "half of a surrogate pair"),
    "half a pair as a name": (b'{"inputs": {"\\udc00": 1}}', "half of a surrogate pair"),
    "no UTF-8": (inputs(b'"\xff\xfe"'), "is not UTF-8"),
    "a text without an end": (b'{"inputs": {"echoInput": "' + b"x" * 9 * MB, "is not JSON"),
    "quotes and backslashes": (b'{"inputs": "' + b'\\"' * 4 * MB, "is not JSON"),
    "a million names": (
        b'{"inputs": {' + b",".join(b'"n%d":1' % number for number in range(600_000)) + b"}}", "n0",
    ),
    "a million repeated names": (b'{"inputs": {' + b'"x":1,' * 1_000_000 + b'"x":1}}', "x"),
    "a million numbers": (inputs(b"[" + b"1," * 4_000_000 + b"1]"), "too many values"),
    "a million empty objects": (inputs(b"[" + b"{}," * 3_000_000 + b"{}]"), "too many values"),
    "a null character": (b"\0" * MB, "is not JSON"),
    "spaces": (b" " * 9 * MB, "is empty"),
    "a name of a megabyte": (b'{"inputs": {"' + b"n" * MB + b'": 1}}', "nnn"),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_is_made_to_hurt_is_a_400_soon_and_in_little_memory(mill: Mill, case: str) -> None:
    body, words = BODIES[case]
    before, begun = peak(mill, reset=True), spent(mill)
    status, answer = post(mill, body)
    used, seconds = peak(mill) - before, spent(mill) - begun
    print(f"{case}: {len(body) / MB:.1f} MB, {used / MB:.0f} MB of memory, {seconds:.2f} s")
    detail = json.loads(answer)["detail"]
    assert (status, words) == (400, words if words in detail else detail)
    assert len(answer) < 4000
    assert used < MOST and seconds < LONGEST


@pytest.mark.parametrize("encoding", first(["gzip", "deflate", "br", "x-gzip, gzip"], 2))
@pytest.mark.parametrize("path", ["/processes/echo/execution", "/processes"])
def test_a_packed_body_is_not_unpacked(mill: Mill, encoding: str, path: str) -> None:
    bomb = gzip.compress(b"[" * 500 * MB, 9) if encoding == "gzip" else b"x"
    before = peak(mill, reset=True)
    status, answer = post(mill, bomb, path, Content_Encoding=encoding, Content_Type="application/cwl")
    assert (status, json.loads(answer)["type"].rpartition("/")[2]) == (415, "encoded-body")
    assert peak(mill) - before < 20 * MB


@pytest.mark.parametrize("path", ["/processes/echo/execution", "/processes"])
def test_a_body_that_is_too_large_is_not_read(mill: Mill, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/cwl\r\n"
    before = peak(mill, reset=True)
    status, _ = exchange(mill, f"{head}Content-Length: {10**15}\r\n\r\n".encode())
    assert status == 413
    assert peak(mill) - before < 20 * MB


def test_a_body_in_chunks_is_cut_off_at_the_limit(mill: Mill) -> None:
    before, chunk = peak(mill, reset=True), b"%x\r\n" % MB + b" " * MB + b"\r\n"
    parts = urlsplit(mill.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=60) as link:
        head = b"POST /processes/echo/execution HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        link.sendall(head)
        received, sent = b"", 0
        try:
            while sent < 100 and not received:  # a hundred times the limit, if it would take it
                link.sendall(chunk)
                sent += 1
                link.settimeout(0.01)
                try:
                    received = link.recv(65536)
                except TimeoutError:
                    link.settimeout(60)
        except ConnectionError:
            pass
        assert sent < 100
        assert not received or b" 413 " in received.partition(b"\r\n")[0]
    assert peak(mill) - before < MOST


@pytest.mark.parametrize(
    "target, statuses",
    [
        ("/jobs?" + "a=1&" * 1500, {200}),
        ("/jobs?limit=" + "9" * 5000, {400}),
        ("/jobs?limit=1e999999", {400}),
        ("/jobs?datetime=" + "9" * 6000, {400}),
        ("/jobs?minDuration=" + "9" * 6000, {400}),
        ("/jobs?status=" + "accepted," * 800, {200, 400}),
        ("/jobs?processID=" + "a," * 3000, {200}),
        ("/jobs?cursor=" + "A" * 6000, {400}),
        ("/processes/" + "a/" * 3000, {404}),
        ("/processes/" + "%2e%2e%2f" * 700, {404}),
        ("/" + "x" * 9000, {414}),
        ("/jobs/" + "0" * 7000, {404}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_address_that_is_made_to_hurt_is_answered_soon(mill: Mill, target: str, statuses: set[int]) -> None:
    begun = spent(mill)
    status, _ = exchange(mill, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert status in statuses
    assert spent(mill) - begun < 2


@pytest.mark.parametrize(
    "lines, statuses",
    [
        (["Accept: " + "text/html;q=0.1, " * 450], {200, 406}),
        (["Prefer: " + "wait=1, " * 900], {200}),
        (["Prefer: wait=" + "9" * 5000], {200, 400}),
        (["If-None-Match: " + '"a", ' * 1500], {200}),
        (["Range: bytes=" + "0-1," * 1900], {200}),
        (["X-Long: " + "x" * 9000], {400, 431}),
        ([f"X-{number}: 1" for number in range(200)], {400, 431}),
        (["Content-Length: " + "9" * 5000], {400, 413, 431}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_headers_that_are_made_to_hurt_are_answered_soon(mill: Mill, lines: list[str], statuses: set[int]) -> None:
    begun = spent(mill)
    head = "\r\n".join(["GET /jobs HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", ""])
    status, _ = exchange(mill, head.encode())
    assert status in statuses
    assert spent(mill) - begun < 2


def test_many_hurtful_bodies_at_once_leave_the_worker_alive(mill: Mill) -> None:
    workers, begin = mill.workers(), time.monotonic()
    for body, _ in list(BODIES.values())[:8]:
        post(mill, body)
    assert mill.call("GET", "/").status == 200
    assert mill.workers() == workers and time.monotonic() - begin < 120
