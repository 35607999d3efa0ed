"""What the guard says at which host: servers on loopback that take down what they hear."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.certificates import context

from geomill.app.access import TenantAccess, open_guard
from geomill.app.config import Settings
from geomill.app.credentials import FILE, Credential, Credentials
from geomill.app.guard import Guard, Refused, Unreachable

SECRET = "cr3dent1al-f0r-t3sts"
TAKEN = {f"Bearer {SECRET}", SECRET, "Basic " + base64.b64encode(f"ann:{SECRET}".encode()).decode()}
NAMES = ("data.example", "other.example")


class Pages(BaseHTTPRequestHandler):
    """/open is for everybody, /to/ADDRESS leads there, all else wants the token."""

    def do_GET(self) -> None:
        told = {name.lower(): value for name, value in self.headers.items()}
        self.server.heard.append((self.headers["Host"].partition(":")[0], self.path, told))  # type: ignore[attr-defined]
        given = {told.get("authorization"), told.get("x-api-key")}
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/").replace("~", "/"))
        elif self.path.startswith("/open") or given & TAKEN:
            self.send_response(200)
        else:
            self.send_response(401)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"pixels")

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def listening(secure: ssl.SSLContext | None = None) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.heard, server.daemon_threads = [], True
    if secure:
        server.socket = secure.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[Any]:
    with listening() as running:
        yield running


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The same by TLS, with a certificate that is trusted here."""
    (tmp_path / "tls").mkdir()
    speaks, trusted = context(tmp_path / "tls", *NAMES)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with listening(speaks) as running:
        yield running


@pytest.fixture
def known(tmp_path: Path) -> Credentials:
    (tmp_path / "home/default").mkdir(parents=True)
    return Credentials(tmp_path / "home/default" / FILE)


@pytest.fixture
def guard(known: Credentials, tmp_path: Path) -> Guard:
    """A guard for whom the names of these tests are here, and who may go there."""
    settings = Settings(tmp_path / "home", tmp_path / "run", allow=(*NAMES, "a.data.example"))
    return replace(open_guard(settings, "default"), resolve=lambda host, port: ["127.0.0.1"])


def bearer(pattern: str, name: str = "a") -> Credential:
    return Credential(name, pattern, "bearer", secret=SECRET)


def heard(server: Any) -> list[tuple[str, str | None]]:
    """Who was asked, and what was said there."""
    return [(host, told.get("authorization")) for host, _, told in server.heard]


def test_a_host_that_wants_a_token_gets_it(server: Any, known: Credentials, guard: Guard, tmp_path: Path) -> None:
    href = f"http://data.example:{server.server_port}/a.tif"
    known.add(bearer(f"http://data.example:{server.server_port}"))
    assert guard.fetch(href, tmp_path).path.read_bytes() == b"pixels"
    assert heard(server) == [("data.example", f"Bearer {SECRET}")]


@pytest.mark.parametrize("kind, more", [("basic", {"user": "ann"}), ("header", {"header": "X-Api-Key"})])
def test_so_does_one_that_wants_a_password_or_a_header(
    server: Any, known: Credentials, guard: Guard, tmp_path: Path, kind: str, more: dict[str, str]
) -> None:
    known.add(Credential("a", f"http://data.example:{server.server_port}", kind, secret=SECRET, **more))
    guard.fetch(f"http://data.example:{server.server_port}/a.tif", tmp_path)


def test_what_is_encrypted_gets_it_and_what_is_not_does_not(
    server: Any, secure: Any, known: Credentials, guard: Guard, tmp_path: Path
) -> None:
    known.add(bearer(f"data.example:{secure.server_port}"))
    known.add(bearer(f"data.example:{server.server_port}", "b"))  # which is https, too
    guard.fetch(f"https://data.example:{secure.server_port}/a.tif", tmp_path)
    with pytest.raises(Unreachable, match="401 Unauthorized; this server has no credential for it"):
        guard.fetch(f"http://data.example:{server.server_port}/a.tif", tmp_path)
    assert heard(secure) == [("data.example", f"Bearer {SECRET}")] and heard(server) == [("data.example", None)]


@pytest.mark.parametrize("name", ["other.example", "a.data.example", "data.example."])
def test_a_redirect_to_another_host_does_not_take_it_along(
    server: Any, known: Credentials, guard: Guard, tmp_path: Path, name: str
) -> None:
    known.add(bearer(f"http://data.example:{server.server_port}"))
    there = f"http:~~{name}:{server.server_port}~open"
    guard.fetch(f"http://data.example:{server.server_port}/to/{there}", tmp_path)
    same = name == "data.example."
    assert [said for _, said in heard(server)] == [f"Bearer {SECRET}", f"Bearer {SECRET}" if same else None]


def test_nor_one_to_another_port_or_to_plain_http(
    server: Any, secure: Any, known: Credentials, guard: Guard, tmp_path: Path
) -> None:
    known.add(bearer(f"data.example:{secure.server_port}"))
    there = f"http:~~data.example:{server.server_port}~open"
    guard.fetch(f"https://data.example:{secure.server_port}/to/{there}", tmp_path)
    assert heard(secure) == [("data.example", f"Bearer {SECRET}")] and heard(server) == [("data.example", None)]


def test_nor_one_out_of_the_path_that_it_is_for(server: Any, known: Credentials, guard: Guard, tmp_path: Path) -> None:
    at = f"http://data.example:{server.server_port}"
    known.add(bearer(f"{at}/to/"))
    guard.fetch(f"{at}/to/~open", tmp_path)
    assert [said for _, said in heard(server)] == [f"Bearer {SECRET}", None]


def test_one_back_to_the_host_has_it_again(server: Any, known: Credentials, guard: Guard, tmp_path: Path) -> None:
    at = f"data.example:{server.server_port}"
    known.add(bearer(f"http://{at}"))
    guard.fetch(f"http://other.example:{server.server_port}/to/http:~~{at}~a.tif", tmp_path)
    assert heard(server) == [("other.example", None), ("data.example", f"Bearer {SECRET}")]


def test_a_host_whose_address_is_refused_hears_nothing(server: Any, known: Credentials, tmp_path: Path) -> None:
    known.add(bearer(f"http://data.example:{server.server_port}"))
    strict = Guard(resolve=lambda host, port: ["127.0.0.1"], access=TenantAccess(known))
    with pytest.raises(Refused, match="not a public address"):
        strict.fetch(f"http://data.example:{server.server_port}/a.tif", tmp_path)
    assert not server.heard


@pytest.mark.parametrize("query", ["X-Amz-Signature=s", "x-amz-signature=s", "X-Goog-Signature=s", "a=b&sig=s"])
def test_an_address_that_is_signed_itself_gets_nothing_besides(
    server: Any, known: Credentials, guard: Guard, tmp_path: Path, query: str
) -> None:
    known.add(bearer(f"http://data.example:{server.server_port}"))
    guard.fetch(f"http://data.example:{server.server_port}/open?{query}", tmp_path)
    assert heard(server) == [("data.example", None)]


def test_a_credential_that_is_not_taken_is_named_and_not_shown(
    server: Any, known: Credentials, guard: Guard, tmp_path: Path
) -> None:
    known.add(replace(bearer(f"http://data.example:{server.server_port}"), secret="w" + SECRET))
    with pytest.raises(Unreachable) as error:
        guard.fetch(f"http://data.example:{server.server_port}/a.tif?sig2=abc", tmp_path)
    assert str(error.value).endswith("it answered 401 Unauthorized to the credential a")
    assert SECRET not in str(error.value)


def test_what_changes_counts_from_the_next_guard_on(
    server: Any, known: Credentials, guard: Guard, tmp_path: Path
) -> None:
    settings = Settings(tmp_path / "home", tmp_path / "run", allow=NAMES)
    href = f"http://data.example:{server.server_port}/a.tif"

    def fetch() -> None:
        replace(open_guard(settings, "default"), resolve=guard.resolve).fetch(href, tmp_path)

    with pytest.raises(Unreachable):
        fetch()
    known.add(bearer(f"http://data.example:{server.server_port}"))
    fetch()
    known.remove("a")
    with pytest.raises(Unreachable):
        fetch()


def test_what_was_read_in_time_is_there_when_the_right_to_read_it_has_gone(
    server: Any, known: Credentials, guard: Guard, tmp_path: Path
) -> None:
    known.add(bearer(f"http://data.example:{server.server_port}"))
    guard.access.read()
    known.path.unlink()
    guard.fetch(f"http://data.example:{server.server_port}/a.tif", tmp_path)


def test_a_tenant_has_its_own_credentials_and_no_others(
    server: Any, known: Credentials, guard: Guard, tmp_path: Path
) -> None:
    known.add(bearer(f"http://data.example:{server.server_port}"))
    settings = Settings(tmp_path / "home", tmp_path / "run", allow=NAMES)
    acme = replace(open_guard(settings, "acme"), resolve=guard.resolve)
    with pytest.raises(Unreachable, match="no credential for it"):
        acme.fetch(f"http://data.example:{server.server_port}/a.tif", tmp_path)
    assert heard(server) == [("data.example", None)]


def test_credentials_that_cannot_be_trusted_stop_what_would_have_needed_them(
    server: Any, known: Credentials, guard: Guard, tmp_path: Path
) -> None:
    known.add(bearer(f"http://data.example:{server.server_port}"))
    known.path.chmod(0o644)
    guard.access.read()  # which is no trouble for who fetches nothing
    with pytest.raises(Refused, match="geomill doctor") as error:
        guard.fetch(f"http://data.example:{server.server_port}/open", tmp_path)
    assert not server.heard and SECRET not in str(error.value)
