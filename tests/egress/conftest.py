"""A proxy at work, and what lies beyond it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.hostile import Site, site

from geomill.app.egress.proxy import Proxy
from geomill.app.egress.relay import Traffic
from geomill.app.guard import Guard


@dataclass
class Gateway:
    """A proxy that runs. port: on loopback; said: its lines for the log."""

    port: int
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def talk(self, *pieces: bytes) -> bytes:
        """Send bytes as they are; everything that comes back until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as link:
            for piece in pieces:
                link.sendall(piece)
            answer = b""
            while piece := link.recv(1 << 16):
                answer += piece
            return answer

    def get(self, href: str, *fields: str) -> bytes:
        """The answer to a GET by the proxy."""
        return self.talk("\r\n".join((f"GET {href} HTTP/1.1", "Host: x", *fields, "", "")).encode())

    def curl(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """What curl makes of it."""
        command = ["curl", "-sS", "--max-time", "20", "--proxy", self.url, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, **more)


Serve = Callable[..., Any]


@contextmanager
def gateway(guard: Guard, token: str = "", most: int = 1 << 40) -> Iterator[Gateway]:
    """A proxy with these rules, until it is no longer needed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Gateway(listener.getsockname()[1])
        proxy = Proxy(guard, Traffic(most), token, made.said.append)
        thread = threading.Thread(target=proxy.serve, args=(listener, 0.05))
        thread.start()
        over = threading.Event()
        keeper = threading.Thread(target=_keep, args=(proxy, listener, thread, over))
        keeper.start()
        try:
            yield made
        finally:
            over.set()
            keeper.join(10)
            assert not keeper.is_alive()


def _keep(proxy: Proxy, listener: socket.socket, thread: threading.Thread, over: threading.Event) -> None:
    """A proxy leaves when nobody needs it; here, as in a job, somebody has it served again."""
    while not over.is_set():
        thread.join(0.02)
        if not thread.is_alive():
            thread = threading.Thread(target=proxy.serve, args=(listener, 0.05))
            thread.start()
    thread.join()


@pytest.fixture
def web() -> Iterator[Site]:
    """A web server on loopback."""
    with site() as found:
        yield found


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with key.pem and cert.pem, of nobody's authority, for data.example."""
    folder = tmp_path_factory.mktemp("tls")
    options = ["-nodes", "-newkey", "rsa:2048", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    name = ["-subj", "/CN=data.example", "-addext", "subjectAltName=DNS:data.example,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *options, *name]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def secured(certificate: Path) -> ssl.SSLContext:
    """For a server that has it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context
