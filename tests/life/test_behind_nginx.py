"""nginx in front, with the configuration that the page about operating shows."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from support.leaks import children
from support.mills import Mill, serving
from support.waiting import until

from geomill.app.config import Settings

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
NAME = "mill.example.org"
AROUND = """
daemon off;
worker_processes 2;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/a;
    uwsgi_temp_path {folder}/b;
    scgi_temp_path {folder}/c;
    {site}
}}
"""
pytestmark = pytest.mark.skipif(not NGINX or not shutil.which("openssl"), reason="needs nginx and openssl")


@dataclass(frozen=True)
class Front:
    """What clients see of a server. port: of nginx; folder: where its certificate lies; prefix: of its paths."""

    port: int
    folder: Path
    mill: Mill
    prefix: str = ""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        """One request by TLS; a body is JSON, or bytes as they are."""
        named = {"Host": NAME} | {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"body": body} if isinstance(body, bytes) else {"json": body}
        with urllib3.HTTPSConnectionPool(
            "127.0.0.1", self.port, ca_certs=str(self.folder / "certificate"), server_hostname=NAME,
            assert_hostname=NAME, retries=False, timeout=60,
        ) as pool:  # fmt: skip
            return pool.request(method, self.prefix + path, headers=named, **given)

    def connect(self) -> socket.socket:
        """A connection of a client that takes its time."""
        context = ssl.create_default_context(cafile=self.folder / "certificate")
        link = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        return context.wrap_socket(link, server_hostname=NAME)


def site(folder: Path, port: int, upstream: str) -> str:
    """The documented configuration, for these ports and files."""
    (shown,) = re.findall(r"^```nginx\n(.*?)^```$", OPERATING, re.MULTILINE | re.DOTALL)
    text = shown
    for documented, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/certs/mill.example.org.pem", f"{folder}/certificate"),
        ("/etc/ssl/private/mill.example.org.key", f"{folder}/key"),
        ("http://127.0.0.1:8080", upstream),
    ):
        assert documented in text
        text = text.replace(documented, here)
    return text


@contextmanager
def nginx(folder: Path, upstream: str, *changes: tuple[str, str]) -> Iterator[int]:
    """nginx with the documented site: its port. changes: of the documented text."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-days", "2", "-nodes")
    files = ("-newkey", "rsa:2048", "-keyout", folder / "key", "-out", folder / "certificate")
    made = ["openssl", "req", "-x509", *asked, *files]
    subprocess.run(made, check=True, capture_output=True)
    text = site(folder, port, upstream)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "conf").write_text(AROUND.format(folder=folder, user=user, site=text))
    assert NGINX
    with subprocess.Popen([NGINX, "-p", folder, "-c", folder / "conf", "-e", folder / "error.log"]) as process:
        try:
            until(lambda: (listens(port) and len(children(process.pid)) == 2) or process.poll() is not None)
            assert process.poll() is None, (folder / "error.log").read_text()
            yield port
        finally:
            process.terminate()
            process.wait(20)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Front]:
    """A server of few threads, and nginx in front of it."""
    root = tmp_path_factory.mktemp("front")
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(folder,))
    few = {"workers": "1", "threads": "4", "public_url": f"https://{NAME}", "port": "0", "anonymous": "executor"}
    with serving_at(settings, shared=True, **few) as mill, nginx(root / "nginx", mill.url) as port:
        yield Front(port, root / "nginx", mill)


@contextmanager
def serving_at(settings: Settings, *, shared: bool = False, **given: str) -> Iterator[Mill]:
    """A server whose links begin with another address than its own, which is found by its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(settings, "--port", str(port), shared=shared, **given) as mill:
        yield replace(mill, url=f"http://127.0.0.1:{port}")


def ended(front: Front, process: str, **inputs: Any) -> str:
    """The path of a job that has ended well."""
    reply = front.call("POST", f"/processes/{process}/execution", {"inputs": inputs}, Prefer="respond-async")
    assert reply.status == 201, reply.data
    job_id = reply.json()["jobID"]
    assert front.mill.ended(job_id).status.value == "successful"
    return f"/jobs/{job_id}"


def test_links_begin_with_the_public_address(front: Front) -> None:
    page = front.call("GET", "/").json()
    assert {link["href"].split("/processes")[0].split("/api")[0] for link in page["links"]} >= {f"https://{NAME}"}
    assert all(link["href"].startswith(f"https://{NAME}/") for link in page["links"])
    accepted = front.call("POST", "/processes/nap/execution", {"inputs": {}}, Prefer="respond-async")
    assert accepted.headers["Location"].startswith(f"https://{NAME}/jobs/")


def test_a_synchronous_request_gets_its_answer(front: Front) -> None:
    reply = front.call("POST", "/processes/nap/execution", {"inputs": {"seconds": 1}})
    assert (reply.status, reply.data) == (200, b"1.0")


def test_a_page_of_the_public_address_may_change_things_and_another_not(front: Front) -> None:
    body = {"inputs": {}}
    assert front.call("POST", "/processes/nap/execution", body, Origin=f"https://{NAME}").status == 200
    assert front.call("POST", "/processes/nap/execution", body, Origin="https://example.com").status == 403


def test_a_job_is_dismissed(front: Front, tmp_path: Path) -> None:
    body = {"inputs": {"until": str(tmp_path / "never")}}
    job = front.call("POST", "/processes/hold/execution", body, Prefer="respond-async").json()["jobID"]
    reply = front.call("DELETE", f"/jobs/{job}")
    assert (reply.status, reply.json()["status"]) == (200, "dismissed")


def test_a_large_result_comes_whole_and_in_parts(front: Front) -> None:
    job = ended(front, "large", megabytes=30)
    whole = front.call("GET", f"{job}/results/result")
    assert (whole.status, len(whole.data)) == (200, int(whole.headers["Content-Length"]))
    assert len(whole.data) >= 30_000_000
    files = front.call("GET", f"{job}/results/result", Range="bytes=1000-1999")
    assert (files.status, files.headers["Content-Range"]) == (206, f"bytes 1000-1999/{len(whole.data)}")
    assert len(files.data) == 1000


@pytest.mark.parametrize("size, answered_by", [(10_200_000, "geomill"), (30_000_000, "nginx")])
def test_a_body_that_is_too_large_is_the_same_problem_whoever_finds_it(
    front: Front, size: int, answered_by: str
) -> None:
    reply = front.call("POST", "/processes/echo/execution", b" " * size, Content_Type="application/json")
    assert (reply.status, reply.json()["type"]) == (413, f"https://{NAME}/problems/content-too-large")
    assert reply.headers["Content-Type"] == "application/json"
    assert ("detail" in reply.json()) == (answered_by == "geomill")


def test_a_body_that_is_just_not_too_large_passes(front: Front) -> None:
    text = "x" * 9_900_000
    reply = front.call("POST", "/processes/echo/execution", {"inputs": {"echoInput": text}}, Prefer="respond-async")
    assert reply.status in (201, 400)  # a text may be longer than the process takes; it was read


def test_slow_senders_hold_no_thread(front: Front) -> None:
    head = f"POST /processes/nap/execution HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 1000\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(front.connect()).sendall(head + b"{")
        begun = time.monotonic()
        assert front.call("GET", "/conformance").status == 200
        assert time.monotonic() - begun < 5  # Geomill alone waits ten seconds for the next piece


def test_slow_readers_hold_no_thread(front: Front) -> None:
    job = ended(front, "large", megabytes=8)
    asked = f"GET {job}/results/result HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(12):
            link = stack.enter_context(front.connect())
            link.sendall(asked)
            assert link.recv(100)
        begun = time.monotonic()
        assert front.call("GET", "/conformance").status == 200
        assert time.monotonic() - begun < 5


def test_logs_and_events_pass(front: Front) -> None:
    job = ended(front, "nap")
    assert front.call("GET", f"{job}/logs").status == 200
    assert front.call("GET", f"{job}/events").status in (200, 404)  # of a job without steps


def test_what_is_not_there_for_a_moment_says_when_to_come_again(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        upstream = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with nginx(tmp_path / "nginx", upstream) as port:
            reply = Front(port, tmp_path / "nginx", Mill("", 0, Settings(tmp_path, tmp_path))).call("GET", "/")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert reply.json()["type"] == f"https://{NAME}/problems/busy"


def test_headers_of_a_client_are_replaced_and_those_of_the_proxy_believed(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, trust_proxy="true") as mill, nginx(tmp_path / "nginx", mill.url) as port:
        forged = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Prefix": "/evil", "X_Forwarded_Proto": "ftp"}
        page = Front(port, tmp_path / "nginx", mill).call("GET", "/", None, Host=f"localhost:{port}", **forged).json()
    assert page["links"][0]["href"] == f"https://localhost:{port}/"


def test_it_can_be_served_below_a_path_by_http_1_0(settings: Settings, tmp_path: Path) -> None:
    changes = (
        ("location / {", "location /mill/ {"),
        ("proxy_http_version 1.1", "proxy_http_version 1.0"),
    )
    with serving_at(settings, public_url=f"https://{NAME}/mill", anonymous="executor") as mill:
        below = (*changes, (f"proxy_pass {mill.url};", f"proxy_pass {mill.url}/;"))
        with nginx(tmp_path / "nginx", mill.url, *below) as port:
            front = Front(port, tmp_path / "nginx", mill, "/mill")
            links = [link["href"] for link in front.call("GET", "/").json()["links"]]
            assert all(link.startswith(f"https://{NAME}/mill/") for link in links)
            job = ended(front, "nap")
            assert front.call("GET", f"{job}/results").status == 200
            reply = front.call("GET", f"{job}/ro-crate.zip")
            assert (reply.status, reply.data[:2]) == (200, b"PK")


@pytest.mark.thorough
def test_a_reload_is_not_noticed(front: Front) -> None:
    import signal

    before = front.mill.workers()
    os.kill(front.mill.pid, signal.SIGHUP)
    statuses = set()
    deadline = time.monotonic() + 40
    while set(front.mill.workers()) & set(before) or not front.mill.workers():
        statuses.add(front.call("GET", "/conformance").status)
        assert time.monotonic() < deadline
    assert statuses == {200}
