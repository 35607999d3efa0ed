"""Fetching through the guard, from servers on loopback."""

import gzip
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from geomill.app.egress import connecting
from geomill.app.guard import Guard, Refused, Unreachable

BOMB = gzip.compress(b"\0" * 10_000_000)


class Pages(BaseHTTPRequestHandler):
    """A server with a page for each trouble."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        if path == "/endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 2**16)
        elif path == "/drip":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x")
                self.server.stop.wait(0.01)  # type: ignore[attr-defined]
        elif path == "/drip-headers":
            while True:
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.server.stop.wait(0.01)  # type: ignore[attr-defined]
        elif path == "/silent":
            self.server.stop.wait(30)  # type: ignore[attr-defined]
        else:
            self.answer(path)

    def answer(self, path: str) -> None:
        status, headers, body = 200, {"Content-Type": "image/tiff"}, b"pixels"
        length = len(body)
        if path.startswith("/to/"):
            status, headers = 302, {"Location": path.removeprefix("/to/").replace("~", "/")}
        elif path == "/loop":
            status, headers = 301, {"Location": "/loop"}
        elif path == "/missing":
            status = 404
        elif path == "/short":
            length = 100
        elif path == "/bomb":
            headers, body = {"Content-Encoding": "gzip"}, BOMB
            length = len(body)
        elif path == "/half-gzip":
            headers, body = {"Content-Encoding": "gzip"}, gzip.compress(b"pixels")[:-9]
            length = len(body)
        elif path == "/brotli":
            headers = {"Content-Encoding": "br"}
        elif path == "/gzip.json":
            headers, body = {"Content-Encoding": "gzip", "Content-Type": "application/json"}, gzip.compress(b"{}")
            length = len(body)
        elif path == "/untyped":
            headers = {}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *args: Any) -> None:
        """The client went away."""


@contextmanager
def serving(context: Any = None) -> Iterator[Any]:
    server: Any = Server(("127.0.0.1", 0), Pages)
    server.seen, server.stop = [], threading.Event()
    server.at = f"127.0.0.1:{server.server_port}"
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[Any]:
    with serving() as running:
        yield running


def no_names(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


# --- fetched


@pytest.mark.parametrize(
    "path, stated, suffix, media_type",
    [
        ("/scene.TIF", None, ".TIF", "image/tiff"),
        ("/a/b.tar.gz?sig=1.exe", None, ".tar.gz", "image/tiff"),
        ("/scene", None, ".tif", "image/tiff"),
        ("/..%2f..%2fetc%2fpasswd", None, ".tif", "image/tiff"),
        ("/a.%2e%2f", None, ".tif", "image/tiff"),
        ("/untyped", None, "", "application/octet-stream"),
        ("/untyped", "text/csv", ".csv", "text/csv"),
        ("/gr\xfcn.tif?q=\xe4", None, ".tif", "image/tiff"),
    ],
)
def test_a_file_is_fetched_under_a_generated_name(
    server: Any, tmp_path: Path, path: str, stated: str | None, suffix: str, media_type: str
) -> None:
    fetched = Guard(allow=[server.at]).fetch(f"http://{server.at}{path}", tmp_path, stated)
    assert fetched.path.parent == tmp_path and fetched.path.read_bytes() == b"pixels"
    assert fetched.path.name[12:] == suffix and fetched.path.name[:12].isalnum()
    assert (fetched.media_type, fetched.href) == (media_type, f"http://{server.at}{path}")


def test_a_request_carries_nothing_but_itself(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    Guard(allow=[server.at]).fetch(f"http://{server.at}/a?b=c%20d&e", tmp_path)
    path, headers = server.seen[0]
    assert path == "/a?b=c%20d&e"
    assert set(headers) == {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}
    assert headers["Host"] == server.at


def test_a_name_is_looked_up_once_so_it_cannot_lead_elsewhere_later(server: Any, tmp_path: Path) -> None:
    answers = iter([["127.0.0.1"]])
    guard = Guard(allow=["data.example"], resolve=lambda host, port: next(answers))
    guard.fetch(f"http://data.example:{server.server_port}/a.tif", tmp_path)
    assert server.seen[0][1]["Host"] == f"data.example:{server.server_port}"


def test_redirects_are_followed_and_the_last_address_is_told(server: Any, tmp_path: Path) -> None:
    fetched = Guard(allow=[server.at]).fetch(f"http://{server.at}/to/..~scene.tif", tmp_path)
    assert fetched.href == f"http://{server.at}/scene.tif"
    assert fetched.path.suffix == ".tif"


@pytest.mark.parametrize(
    "location",
    ["http:~~127.0.0.1:9~a", "http:~~10.0.0.1~", "file:~~~etc~passwd", "ftp:~~a.example~", "~~[::1]~", "http:~~a@b~"],
)
def test_every_redirect_is_checked(server: Any, tmp_path: Path, location: str) -> None:
    with pytest.raises(Refused):
        Guard(allow=[server.at], resolve=no_names).fetch(f"http://{server.at}/to/{location}", tmp_path)


def test_redirects_come_to_an_end(server: Any, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="more than 5 redirects"):
        Guard(allow=[server.at]).fetch(f"http://{server.at}/loop", tmp_path)
    assert len(server.seen) == 6


@pytest.mark.parametrize("path", ["/endless", "/bomb", "/scene.tif"])
def test_too_much_is_refused_packed_or_not_and_nothing_stays(server: Any, tmp_path: Path, path: str) -> None:
    limit = 5 if path == "/scene.tif" else 100_000
    with pytest.raises(Refused, match=f"larger than {limit} bytes"):
        Guard(allow=[server.at], max_bytes=limit).fetch(f"http://{server.at}{path}", tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_was_sent_packed_is_unpacked(server: Any, tmp_path: Path) -> None:
    assert Guard(allow=[server.at]).fetch(f"http://{server.at}/gzip.json", tmp_path).path.read_bytes() == b"{}"


@pytest.mark.parametrize(
    "path, message",
    [
        ("/missing?signature=abc", "/missing cannot be fetched: it answered 404 Not Found"),
        ("/short", "broke off its answer: 94 bytes are missing"),
        ("/half-gzip", "broke off its answer: its gzip data is incomplete"),
        ("/brotli", "encoded as br"),
    ],
)
def test_an_unusable_answer_is_told_and_nothing_stays(server: Any, tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(Unreachable) as error:
        Guard(allow=[server.at]).fetch(f"http://{server.at}{path}", tmp_path)
    assert message in str(error.value) and "signature" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["/drip", "/drip-headers", "/silent"])
def test_a_slow_server_is_left_when_the_time_is_over(server: Any, tmp_path: Path, path: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match="too long|too slow"):
        Guard(allow=[server.at], timeout=0.3).fetch(f"http://{server.at}{path}", tmp_path)
    assert time.monotonic() - began < 5
    assert not list(tmp_path.iterdir())


def test_a_stalled_server_is_left_before_that(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "STALL", 0.2)
    with pytest.raises(Unreachable, match="too slow"):
        Guard(allow=[server.at]).fetch(f"http://{server.at}/silent", tmp_path)


def test_a_closed_port_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unreachable, match="does not answer: connection refused"):
            Guard(allow=[at]).fetch(f"http://{at}/", tmp_path)


def test_a_full_disk_is_not_the_fault_of_the_address(server: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Guard(allow=[server.at]).fetch(f"http://{server.at}/a", tmp_path / "missing")


# --- encrypted


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    options = ["-nodes", "-newkey", "rsa:2048", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    name = ["-subj", "/CN=data.example", "-addext", "subjectAltName=DNS:data.example"]
    subprocess.run([openssl, "req", "-x509", *options, *name], cwd=folder, check=True, capture_output=True)
    return folder


def test_a_certificate_must_be_valid_for_the_name(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with serving(context) as server:
        guard = Guard(allow=["data.example", "other.example"], resolve=lambda host, port: ["127.0.0.1"])
        href = f"https://data.example:{server.server_port}/a.tif"
        with pytest.raises(Unreachable, match="certificate is not valid"):
            guard.fetch(href, tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
        assert guard.fetch(href, tmp_path).path.read_bytes() == b"pixels"
        with pytest.raises(Unreachable, match="certificate is not valid"):
            guard.fetch(href.replace("data.example", "other.example"), tmp_path)
        with pytest.raises(Unreachable, match="too long|too slow"):
            Guard(guard.allow, timeout=0.3, resolve=guard.resolve).fetch(href.replace("a.tif", "drip"), tmp_path)
