"""Somebody else's service, as little of OGC API - Processes 1.0 as a server can get away with; and a home of ours."""

import json
import os
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import click.testing
import pytest
from support import commands, mills
from support.variants import thorough

from geomill.app.cli import main
from geomill.app.config import Settings

GEOMILL = commands.Command("geomill.app.cli:main", "geomill.app.cli.local", "geomill.app.server")
DESCRIPTION = {
    "id": "double",
    "version": "1",
    "inputs": {"number": {"schema": {"type": "number"}}, "name": {"schema": {"type": "string"}, "minOccurs": 0}},
    "outputs": {"twice": {"schema": {"type": "number"}}},
}


class Stranger(BaseHTTPRequestHandler):
    """Jobs end after a few looks at them. Class attributes are what differs between servers."""

    prefix = ""
    location = "absolute"  # relative, none
    body = True  # of the 201
    asynchronous = True
    etags = False
    ending = ("accepted", "running", "successful")  # one for each look
    description = DESCRIPTION
    results: object = {"twice": 4}
    results_type = "application/json"

    def setup(self):
        super().setup()
        self.seen = self.server.seen
        self.jobs = self.server.jobs

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.seen.append((self.command, self.path, dict(self.headers)))
        path = self.path.removeprefix(self.prefix)
        if path == "/processes":
            summaries = [{"id": "double", "version": "1"}]
            self.answer(200, {"processes": summaries, "links": [{"rel": "next", "href": "processes?page=2"}]})
        elif path == "/processes?page=2":  # and the last page names itself as the next
            self.answer(200, {"processes": [{"id": "other"}], "links": [{"rel": "next", "href": "?page=2"}]})
        elif path == "/processes/double":
            self.answer(200, self.description)
        elif path.startswith("/jobs?"):
            self.answer(200, {"jobs": [self.status(job_id) for job_id in self.jobs]})
        elif path.startswith("/jobs/") and path.endswith("/results"):
            content = self.results if isinstance(self.results, bytes) else json.dumps(self.results).encode()
            self.send(200, content, {"Content-Type": self.results_type})
        elif path == "/file.tif":
            self.send(200, b"II*\0", {"Content-Type": "image/tiff"})
        elif path.removeprefix("/jobs/") in self.jobs:
            self.look(path.removeprefix("/jobs/"))
        else:
            self.answer(
                404, {"type": "http://www.opengis.net/def/x/1.0/no-such-thing", "detail": f"there is no {path}"}
            )

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.command, self.path, dict(self.headers), request))
        if not self.asynchronous:
            self.send(200, json.dumps(self.results).encode(), {"Content-Type": "application/json"})
            return
        self.jobs["j1"] = 0
        where = {
            "absolute": f"http://{self.headers['Host']}{self.prefix}/jobs/j1",
            "relative": f"{self.prefix}/jobs/j1",
        }.get(self.location)
        content = json.dumps(self.status("j1")).encode() if self.body else b""
        self.send(201, content, {"Location": where} if where else {})

    def do_DELETE(self):
        self.seen.append((self.command, self.path, dict(self.headers)))
        job_id = self.path.rsplit("/", 1)[1]
        expected = self.headers.get("If-Match")
        if self.etags and expected != f'"{self.jobs[job_id]}"':
            self.answer(412, {"title": "changed"})
        elif self.jobs[job_id] < len(self.ending) - 1:
            self.server.ended[job_id] = "dismissed"
            self.answer(200, self.status(job_id))
        else:
            del self.jobs[job_id]
            self.answer(200, {})

    def look(self, job_id):
        self.jobs[job_id] = min(self.jobs[job_id] + 1, len(self.ending) - 1)
        tag = self.jobs[job_id]
        if self.etags and self.server.jump:
            self.server.jump -= 1
            tag -= 1
        self.answer(200, self.status(job_id), {"ETag": f'"{tag}"'} if self.etags else {})

    def status(self, job_id):
        status = self.server.ended.get(job_id) or self.ending[self.jobs[job_id]]
        return {"jobID": job_id, "status": status, "message": f"it is \x1b[31m{status}"}

    def answer(self, code, document, headers=None):
        self.send(code, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, code, content, headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def stranger():
    """Starts such a service: stranger(location="none") gives the server, with url, seen (requests) and jobs."""
    servers = []

    def start(**quirks):
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Quirky", (Stranger,), quirks))
        server.seen, server.jobs, server.ended, server.jump = [], {}, {}, 0
        server.url = f"http://127.0.0.1:{server.server_port}{quirks.get('prefix', '')}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def geomill(monkeypatch):
    """Runs the command in this process: geomill("jobs", "ls").exit_code, .stdout, .stderr."""
    monkeypatch.delenv("GEOMILL_SERVER", raising=False)

    def run(*arguments):
        result = click.testing.CliRunner().invoke(main, [str(each) for each in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


PROCESSES = '''
import time
from pathlib import Path
from typing import Annotated
from geomill.processes import File, Progress, process

@process
def count(to: int, progress: Progress) -> int:
    """Count."""
    for number in range(to):
        print("at", number, flush=True)
        progress(100 * number / to, f"at {number}")
    return to

@process
def fail() -> int:
    """Fail."""
    print("before it fails", flush=True)
    raise RuntimeError("it was meant to")

@process
def hold() -> int:
    """Print a word, then wait for longer than any test."""
    print("holding", flush=True)
    time.sleep(600)
    return 0

@process
def shout(text: str, progress: Progress, fails: bool = False) -> str:
    """Repeat a text wherever one can be said."""
    print(text, flush=True)
    progress(50, text)
    if fails:
        raise RuntimeError(text)
    return text

@process
def measure(file: Annotated[Path, File("Bytes", "application/octet-stream")]) -> int:
    """Say how large a file is."""
    return file.stat().st_size

@process
def draw() -> Annotated[Path, File("Picture", "image/png")]:
    """Draw."""
    path = Path("picture.png")
    path.write_bytes(b"picture")
    return path
'''


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Options and environment that name a home with a few processes, used by every test of this folder."""
    root = tmp_path_factory.mktemp("mill")
    (root / "processes").mkdir()
    (root / "processes" / "few.py").write_text(PROCESSES)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_")}
    environ |= {
        "GEOMILL_HOME": str(root / "home"),
        "GEOMILL_RUNTIME_DIR": tempfile.mkdtemp(prefix="mill-"),
        "GEOMILL_PROCESSES": str(root / "processes"),
    }
    settings = Settings.load(environ)
    with mills.dispatching(settings, shared=True):
        yield environ
    shutil.rmtree(settings.runtime_dir)


@pytest.fixture(scope="session")
def shell(place, tmp_path_factory):
    """Runs the command in a process of its own: shell("jobs", "ls").returncode, .stdout, .stderr."""
    folder = tmp_path_factory.mktemp("shell")

    def run(*arguments, **more):
        environment = place | {name: str(value) for name, value in more.items()}
        return GEOMILL(*arguments, environment=environment, folder=folder)

    return run


@pytest.fixture(params=[thorough("home"), "server"])
def ours(request, shell, serving):
    """Runs a command, on the home itself or by the server that serves it."""
    named = [] if request.param == "home" else ["--server", serving]
    return lambda *arguments: shell(*arguments, *named)


@pytest.fixture(scope="session")
def serving(place):
    """`geomill serve` on a free port: its URL."""
    with mills.serving(Settings.load(place), "--workers", "1", shared=True) as mill:
        yield mill.url
