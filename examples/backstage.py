"""What the demo needs around it: a server for the files of the scene, and Geomill with a temporary home."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPMessage
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.app.engine.client import Engine, open_store

START = 60.0  # seconds the server may take to start; the first time, Python compiles
STOP = 30.0  # seconds server and dispatcher may take to end


class Failed(Exception):
    """Something is not as it should be; one sentence."""


@dataclass(frozen=True)
class Answer:
    """An answer to a request."""

    status: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def __str__(self) -> str:
        """The status and the beginning of the body."""
        return f"{self.status}: {self.body[:500].decode(errors='replace')}"


@dataclass(frozen=True)
class Geomill:
    """A server that runs. url: of its landing page, with a slash at the end."""

    url: str
    home: Path

    def of_tenant(self, tenant: str) -> Geomill:
        """The same server as a tenant sees it."""
        return Geomill(f"{self.url}{tenant}/ogc-api/", self.home)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request; a body that is not bytes is sent as JSON. Raises Failed when there is no answer.

        path: below the landing page, with a slash first; or a whole URL of this server.
        """
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Accept": "application/json, */*;q=0.5", "Content-Type": "application/json", **headers}
        place = urlsplit(urljoin(self.url, path.removeprefix("/")))
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        try:
            connection.request(method, place.path + (f"?{place.query}" if place.query else ""), content, sent)
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        except (OSError, HTTPException) as error:
            raise Failed(f"{method} {path} got no answer: {error}") from error
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """A resource. Raises Failed when it is not there."""
        answer = self.call("GET", path)
        expect(answer.status == 200, f"GET {path} answered {answer}")
        return answer

    def processes_at_work(self) -> list[int]:
        """The processes, seen by the operating system, whose working directory is that of a job."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_at_work(pid)]

    def _is_at_work(self, pid: int) -> bool:
        with suppress(OSError):  # it has ended, or belongs to somebody else
            return os.readlink(f"/proc/{pid}/cwd").startswith(f"{self.home}/")
        return False


def expect(true: bool, otherwise: str) -> None:
    """Raises Failed with the sentence when something is not true."""
    if not true:
        raise Failed(otherwise)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, parts of files too, as GDAL asks for them, and prints nothing."""

    def do_GET(self) -> None:
        """A file, or one range of it."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if not asked or not path.is_file():
            return super().do_GET()
        first, size = int(asked[1]), path.stat().st_size
        last = min(int(asked[2] or size), size - 1)
        self.send_response(206 if first <= last else 416)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}" if first <= last else f"bytes */{size}")
        self.send_header("Content-Length", str(max(0, last - first + 1)))
        self.end_headers()
        with path.open("rb") as file:
            file.seek(first)
            self.wfile.write(file.read(max(0, last - first + 1)))

    def log_message(self, format: str, *args: Any) -> None:
        """Called for each request."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder on a free loopback port: the address, without a slash at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(allow: str, *options: str) -> Iterator[Geomill]:
    """Start Geomill on a free loopback port with a temporary home; afterwards nothing of it is left.

    allow: host and port that inputs may come from, though they are not public. options: of `geomill serve`.
    """
    place = Path(tempfile.mkdtemp(prefix="geomill-demo-", dir="/tmp")).resolve()  # sockets need a short path
    try:
        settings = Settings(home=place / "home", runtime_dir=place / "run")
        with open(place / "log", "wb") as log:
            server = start(settings, allow, options, place, log.fileno())
        try:
            yield Geomill(address(server, place / "log"), settings.home)
        finally:
            stop(server, settings)
    finally:
        shutil.rmtree(place)


def start(settings: Settings, allow: str, options: Sequence[str], place: Path, log: int) -> subprocess.Popen[bytes]:
    """`geomill serve`, with these settings and none of the caller's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_")}
    environment |= {
        "GEOMILL_HOME": str(settings.home),
        "GEOMILL_RUNTIME_DIR": str(settings.runtime_dir),
        "GEOMILL_ALLOW": allow,
    }
    command = [sys.executable, "-P", "-m", "geomill.app.cli", "serve", "--port", "0", *options]
    # a session of its own: Ctrl-C is for the demo, which then stops the server in order
    return subprocess.Popen(
        command, env=environment, cwd=place, stdout=subprocess.PIPE, stderr=log, start_new_session=True
    )


def address(server: subprocess.Popen[bytes], log: Path) -> str:
    """The address in the first line that the server prints. Raises Failed when there is none."""
    assert server.stdout
    ready, _, _ = select.select([server.stdout], [], [], START)
    line = server.stdout.readline().decode() if ready else ""
    url = next((word for word in line.split() if word.startswith("http://")), None)
    if url is None:
        raise Failed(f"the server did not start: {line}{log.read_text()[-2000:]}")
    return url


def stop(server: subprocess.Popen[bytes], settings: Settings) -> None:
    """End the server, then its dispatcher, which would stay for ten seconds. Raises Failed for what is left."""
    assert server.stdout
    engine = Engine(settings, open_store(settings))
    dispatcher = (engine.ask({"op": "hello"}, 2.0) or {}).get("pid")
    family = [] if dispatcher is None else [dispatcher, *reaper.descendants(dispatcher)]
    alive = [pidfd for pid in family if (pidfd := reaper.open_process(pid, reaper.start_time(pid))) is not None]
    deadline = time.monotonic() + STOP
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(STOP)
    server.stdout.close()
    engine.retire()
    left = [pidfd for pidfd in alive if not reaper.wait_for_end(pidfd, deadline - time.monotonic())]
    for pidfd in alive:
        os.close(pidfd)
    if server.poll() is None:
        server.kill()
        raise Failed(f"the server did not stop within {STOP:g} s")
    expect(not left, f"{len(left)} processes of the dispatcher did not stop within {STOP:g} s")
