"""The proxy of a job: what it lets through, what it refuses, and that nobody is confused by it."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from egress.conftest import gateway  # type: ignore[import-not-found]
from support import networks, tricks
from support.hostile import Site
from support.waiting import until

from geomill.app.egress import proxy as proxies
from geomill.app.egress import relay as relays
from geomill.app.egress.upstream import Upstream
from geomill.app.guard import Guard, Refused, Unreachable


def open_to(web: Site, **more: object) -> Guard:
    return Guard(allow=[web.address], **more)  # type: ignore[arg-type]


@contextmanager
def listening(answer: bytes, heard: list[bytes], host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Somebody who answers every connection with the same bytes, whatever is asked, and writes down what was."""
    with socket.create_server((host, port)) as server:

        def attend() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with link:
                    link.settimeout(5)
                    content = b""
                    while b"\r\n\r\n" not in content and (piece := link.recv(65536)):
                        content += piece
                    heard.append(content)
                    link.sendall(answer)

        thread = threading.Thread(target=attend)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


# ---- let through


def test_a_page_is_passed_on_with_its_headers(web: Site) -> None:
    web.page("/a?b=c", b"pixels", X_Mine="1", Connection="X-Hop", X_Hop="2")
    with gateway(open_to(web)) as gate:
        answer = gate.get(f"{web.url}/a?b=c")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n") and body == b"pixels"
    assert b"x-mine: 1" in head and b"x-hop" not in head and b"Connection: close" in head
    assert web.asked == ["/a?b=c"] and gate.said == []


def test_the_host_of_a_request_is_that_of_its_address() -> None:
    heard: list[bytes] = []
    with listening(b"HTTP/1.1 204 No Content\r\n\r\n", heard) as port:
        with gateway(Guard(allow=["data.example"], resolve=lambda *_: ["127.0.0.1"])) as gate:
            fields = ["Host: other.example", "Proxy-Authorization: Basic c2VjcmV0", "Connection: X-A", "X-A: 1"]
            fields.append("X-B: 2")
            assert gate.get(f"http://data.example:{port}/x", *fields).startswith(b"HTTP/1.1 204")
    (request,) = heard
    assert request.split(b"\r\n")[:2] == [b"GET /x HTTP/1.1", b"Host: data.example:%d" % port]
    assert b"x-b: 2" in request and not any(word in request for word in (b"other", b"Basic", b"X-A", b"x-a"))


def test_a_body_is_passed_on_and_what_follows_it_is_not() -> None:
    heard: list[bytes] = []
    with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokGARBAGE", heard) as port:
        with gateway(Guard(allow=[f"127.0.0.1:{port}"])) as gate:
            first = f"POST http://127.0.0.1:{port}/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
            second = "GET http://127.0.0.1:1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
            answer = gate.talk((first + second).encode())
    assert answer.endswith(b"\r\n\r\nok") and answer.count(b"HTTP/1.1") == 1
    assert len(heard) == 1 and b"smuggled" not in heard[0]


@pytest.mark.parametrize("method, body", [("HEAD", b""), ("GET", b"5\r\nhello\r\n0\r\n\r\n")])
def test_an_answer_in_chunks_keeps_them(method: str, body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n" + body
    with listening(answer, []) as port, gateway(Guard(allow=[f"127.0.0.1:{port}"])) as gate:
        told = gate.talk(f"{method} http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n".encode())
    assert told.partition(b"\r\n\r\n")[2] == body and b"ontent-" not in told


def test_hints_before_an_answer_are_dropped() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with listening(answer, []) as port, gateway(Guard(allow=[f"127.0.0.1:{port}"])) as gate:
        assert gate.get(f"http://127.0.0.1:{port}/").startswith(b"HTTP/1.1 200 OK")


def test_curl_goes_through_plain_andencrypted(web: Site, certificate: Path, secured: ssl.SSLContext) -> None:
    web.page("/a", b"pixels")
    with gateway(open_to(web)) as gate:
        assert gate.curl(f"{web.url}/a").stdout == "pixels"
    guard = Guard(allow=["data.example"], resolve=lambda *_: ["127.0.0.1"])
    with encrypted(secured) as port, gateway(guard) as gate:
        trusting = ["--cacert", str(certificate / "cert.pem")]
        assert gate.curl(*trusting, f"https://data.example:{port}/").stdout == "secret pixels"
        done = gate.curl(f"https://data.example:{port}/")
        assert done.returncode == 60 and "certificate" in done.stderr


@contextmanager
def encrypted(context: ssl.SSLContext) -> Iterator[int]:
    """A server with a certificate that gives one page."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nsecret pixels"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def attend() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(link, server_side=True) as secure:
                        secure.settimeout(5)
                        secure.recv(65536)
                        secure.sendall(answer)
                except OSError:
                    continue

        thread = threading.Thread(target=attend)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_tunnel_carries_anything_both_ways_at_once_and_ends_half_by_half() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with gateway(Guard(allow=[f"127.0.0.1:{port}"])) as gate:
            with socket.create_connection(("127.0.0.1", gate.port), 10) as link:
                link.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\nfirst" % port)
                origin, _ = server.accept()
                with origin:
                    origin.settimeout(10)
                    origin.sendall(b"spoken first")
                    assert _exactly(link, 39 + 12) == b"HTTP/1.1 200 Connection established\r\n\r\nspoken first"
                    assert _exactly(origin, 5) == b"first"
                    both = [threading.Thread(target=end.sendall, args=(bytes(10_000_000),)) for end in (link, origin)]
                    for each in both:
                        each.start()
                    for end in (origin, link):
                        assert _exactly(end, 10_000_000) == bytes(10_000_000)
                    for each in both:
                        each.join()
                    link.shutdown(socket.SHUT_WR)
                    assert origin.recv(1) == b""
                    origin.sendall(b"last")
                assert _exactly(link, 5) == b"last"


def _exactly(link: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size and (piece := link.recv(size - len(content))):
        content += piece
    return bytes(content)


# ---- refused


@pytest.mark.parametrize("href", list(tricks.addresses(8080)))
def test_a_trick_leads_nowhere(href: str) -> None:
    """Nothing is connected to: what is looked up is known to the tests alone, and the rest is refused unseen."""
    with gateway(Guard(resolve=tricks.resolve)) as gate:
        for request in (f"GET {href} HTTP/1.1", f"CONNECT {href.removeprefix('http://').partition('/')[0]} HTTP/1.1"):
            answer = gate.talk(request.encode() + b"\r\nHost: public.example\r\n\r\n")
            assert answer.split(b" ")[1] in (b"400", b"403"), answer
    assert len(gate.said) == 2 and "secret@" not in "".join(gate.said)


def test_a_refusal_says_why_in_a_line(web: Site) -> None:
    with gateway(Guard()) as gate:
        done = gate.curl(f"{web.url}/secret?signature=abc")
        why = f"{web.url}/secret is refused: 127.0.0.1 is not a public address. List it in GEOMILL_ALLOW to allow it."
        assert done.stdout == f"{why}\n" and gate.said == [f"network: {why}"] and web.asked == []
        done = gate.curl(f"https://{web.address}/secret")
        assert done.returncode == 56 and "403" in done.stderr and "not a public address" in gate.said[1]


def test_the_log_of_a_job_is_not_flooded() -> None:
    with gateway(Guard()) as gate:
        for _ in range(proxies.LONGEST_SAID + 20):
            assert b"403 Forbidden" in gate.get("http://10.0.0.1/")
    assert len(gate.said) == proxies.LONGEST_SAID


@pytest.mark.parametrize("port", [22, 25, 111, 445, 1])
def test_ports_below_1024_that_are_none_of_the_web_are_refused_unless_listed(port: int) -> None:
    with gateway(Guard(resolve=tricks.resolve)) as gate:
        for request in (f"CONNECT public.example:{port} HTTP/1.1", f"GET http://public.example:{port}/ HTTP/1.1"):
            assert b"is not of the web" in gate.talk(f"{request}\r\n\r\n".encode())
    Guard(allow=[f"public.example:{port}"]).target(f"http://public.example:{port}/")


def test_a_name_that_leads_elsewhere_the_second_time_is_checked_each_time() -> None:
    """The connection goes to the address that was checked, so that there is no second time within a request."""
    with networks.alone(tricks.PUBLIC) as offline:
        if not offline:
            pytest.skip("only root has a network of his own")
        answers, asked = itertools.cycle([[tricks.PUBLIC], ["127.0.0.1"], [tricks.PUBLIC, "127.0.0.1"]]), []

        def rebinding(host: str, port: int) -> list[str]:
            asked.append(host)
            return next(answers)

        page, secret = (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + body for body in (b"public", b"secret"))
        with listening(page, [], tricks.PUBLIC) as port, listening(secret, [], "127.0.0.1", port):
            with gateway(Guard(resolve=rebinding)) as gate:
                told = [gate.get(f"http://rebind.example:{port}/") for _ in range(6)]
    assert [answer.split(b" ")[1] for answer in told] == [b"200", b"403", b"200"] * 2
    assert len(asked) == 6 and not any(b"secret" in answer for answer in told)


def test_a_redirect_is_followed_by_the_client_and_checked_again(web: Site, tmp_path: Path) -> None:
    with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret", heard := []) as inside:
        web.page("/to", status=302, Location=f"http://127.0.0.1:{inside}/secret")
        web.page("/file", status=302, Location="file:///etc/passwd")
        with gateway(open_to(web)) as gate:
            done = gate.curl("-L", f"{web.url}/to")
            assert "is not a public address" in done.stdout and heard == []
            assert gate.curl("-L", f"{web.url}/file").returncode == 1


@pytest.mark.parametrize(
    "request_, code",
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET https://a.example/ HTTP/1.1\r\n\r\n", b"400"),
        (b"GET http://a.example/ HTTP/1.1\nHost: a\n\n\r\n\r\n", b"400"),
        (b"GET http://a.example/ HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", b"400"),
        (b"GET http://a.example/\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"POST http://a.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b"400"),
        (b"POST http://a.example/ HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", b"400"),
        (b"POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n", b"411"),
        (b"CONNECT a.example HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT http://a.example:443 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT a.example:443/x HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT :443 HTTP/1.1\r\n\r\n", b"403"),
    ],
)
def test_what_is_no_plain_request_is_refused(request_: bytes, code: bytes) -> None:
    with gateway(Guard(resolve=tricks.resolve)) as gate:
        assert gate.talk(request_).split(b" ")[1] == code


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\nX: y\n\n\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)  # fmt: skip
def test_a_doubtful_answer_is_not_passed_on(answer: bytes) -> None:
    with listening(answer, []) as port, gateway(Guard(allow=[f"127.0.0.1:{port}"])) as gate:
        told = gate.get(f"http://127.0.0.1:{port}/")
    assert told.startswith(b"HTTP/1.1 502 Bad Gateway") and b"is no HTTP" in told


def test_a_host_that_is_not_there_is_a_502() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with gateway(Guard(allow=[f"127.0.0.1:{port}"])) as gate:
            for request in (f"GET http://127.0.0.1:{port}/ HTTP/1.1", f"CONNECT 127.0.0.1:{port} HTTP/1.1"):
                told = gate.talk(f"{request}\r\n\r\n".encode())
                assert told.startswith(b"HTTP/1.1 502") and b"connection refused" in told


def test_where_others_could_connect_the_job_shows_a_token(web: Site) -> None:
    web.page("/a", b"pixels")
    with gateway(open_to(web), token="t0ken") as gate:
        assert b"407 Proxy Authentication Required" in gate.get(f"{web.url}/a")
        assert b"407" in gate.get(f"{web.url}/a", "Proxy-Authorization: Basic am9iOnRva2Vu")
        assert web.asked == []
        assert gate.curl("--proxy-user", "job:t0ken", f"{web.url}/a").stdout == "pixels"


# ---- limits


def test_a_job_sends_and_receives_no_more_than_it_may(web: Site) -> None:
    web.page("/a", bytes(60_000))
    with gateway(open_to(web), most=100_000) as gate:
        assert len(gate.curl(f"{web.url}/a").stdout) == 60_000
        assert gate.curl(f"{web.url}/a").returncode != 0
        assert "100000 bytes" in gate.said[-1]
        assert b"403 Forbidden" in gate.get(f"{web.url}/a")


def test_a_body_that_breaks_off_does_not_look_complete() -> None:
    with listening(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(500_000), []) as port:
        with gateway(Guard(allow=[f"127.0.0.1:{port}"]), most=100_000) as gate:
            assert gate.curl(f"http://127.0.0.1:{port}/").returncode == 56  # reset


def test_silence_ends_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "PATIENCE", 0.1)
    with gateway(Guard()) as gate:
        begun = time.monotonic()
        with pytest.raises(ConnectionResetError):
            gate.talk(b"GET http")
        assert time.monotonic() - begun < 5
    ends = [*socket.socketpair(), *socket.socketpair()]
    with pytest.raises(TimeoutError):
        relays.relay([relays.Direction(ends[0], ends[2])], relays.Traffic(10), idle=0.05)
    for end in ends:
        end.close()


def test_more_connections_than_there_are_places_wait(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "CONNECTIONS", 2)
    web.page("/a", b"pixels")
    with gateway(open_to(web)) as gate:
        held = [socket.create_connection(("127.0.0.1", gate.port)) for _ in range(2)]
        third: list[bytes] = []
        waiting = threading.Thread(target=lambda: third.append(gate.get(f"{web.url}/a")))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive() and not third
        for link in held:
            link.close()
        until(lambda: third)
        waiting.join()
        assert third[0].endswith(b"pixels")


# ---- behind another proxy


def test_the_guard_goes_through_the_proxy_of_its_job(web: Site, tmp_path: Path) -> None:
    web.page("/a.tif", b"pixels", Content_Type="image/tiff")
    web.page("/to", status=302, Location="http://10.0.0.1/")
    with gateway(open_to(web), token="t0ken") as gate:
        ours = Upstream("127.0.0.1", gate.port, "job:t0ken", guards=True)
        assert open_to(web, upstream=ours).fetch(f"{web.url}/a.tif", tmp_path).path.read_bytes() == b"pixels"
        with pytest.raises(Refused, match=r"10\.0\.0\.1 is not a public"):
            open_to(web, upstream=ours).fetch(f"{web.url}/to", tmp_path)


def test_what_the_proxy_of_a_job_refuses_the_guard_refuses(tmp_path: Path) -> None:
    """Names are looked up by the proxy alone: the guard in a job has nobody to ask."""
    with gateway(Guard(resolve=tricks.resolve)) as gate:
        ours = Guard(upstream=Upstream("127.0.0.1", gate.port, guards=True), resolve=lambda *_: [])
        for scheme in ("http", "https"):
            with pytest.raises(Refused, match=r"^http.*inside\.example is not a public address\."):
                ours.fetch(f"{scheme}://inside.example/a", tmp_path)
    with gateway(Guard(resolve=lambda *_: [])) as gate:
        ours = Guard(upstream=Upstream("127.0.0.1", gate.port, guards=True), resolve=lambda *_: [])
        for scheme in ("http", "https"):
            with pytest.raises(Unreachable, match="it has no address"):
                ours.fetch(f"{scheme}://nowhere.example/a", tmp_path)
