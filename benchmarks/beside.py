"""What is measured beside Geomill: a bare Flask application, pygeoapi, and bare forks. Each ends with its context."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from benchmarks.client import Client, crowd, get
from benchmarks.mill import Mill, temporary, until
from examples.backstage import Failed, expect
from geomill.app.cli.web import KEEPALIVE
from geomill.app.engine import reaper

ROOT = Path(__file__).resolve().parents[1]
PYGEOAPI = ROOT / ".venv/peers/pygeoapi"
HELLO = ("hello-world", {"name": "hello"})
_LEFT_OUT = ("date", "server", "connection", "content-length")  # which gunicorn and Flask say themselves


@dataclass(frozen=True)
class Peer:
    """A server that runs under gunicorn.

    master: the pid of gunicorn's master; place: its folder; seconds: from the command until the first answer.
    """

    url: str
    master: int
    place: Path
    seconds: float = 0.0

    def workers(self) -> list[int]:
        """The pids of what answers requests."""
        return reaper.children(self.master)

    def client(self) -> Client:
        """A connection of one's own."""
        return Client(self.url)


def version(name: str) -> str | None:
    """The version of a package among the peers; None: `make peers` was not called."""
    found = distributions(name=name, path=list(map(str, PYGEOAPI.glob("lib/*/site-packages"))))
    return next((each.version for each in found), None)


def has_pygeoapi() -> bool:
    """Whether it is installed."""
    return version("pygeoapi") is not None


@contextmanager
def bare_flask(mill: Mill, *paths: str) -> Iterator[Peer]:
    """A Flask application that answers as a Geomill does at this moment, byte by byte, as many at a time."""
    place = temporary()
    answers = {path: _answer(mill, "GET", path) for path in paths}
    answers["POST"] = _answer(mill, "POST", "/processes/echo/execution")
    (place / "answers.json").write_text(json.dumps(answers))
    environment = {"BARE_ANSWERS": str(place / "answers.json"), "BARE_FOLDER": str(place), "PYTHONPATH": str(ROOT)}
    settings = mill.settings
    application = "benchmarks.bare.flask_app:app"
    with _gunicorn(sys.executable, application, settings.workers, settings.threads, place, environment) as peer:
        for path in paths:
            expect(crowd(peer.url, [get(path)]).bodies == [answers[path]["body"].encode()], f"{path} differs")
        yield peer


def _answer(mill: Mill, method: str, path: str) -> dict[str, Any]:
    """The headers and the body of an answer; an execution is one of `echo`, asynchronous."""
    content = json.dumps({"inputs": {"echoInput": "hello"}}).encode() if method == "POST" else None
    headers = {"Host": "localhost", "Accept": "application/json", "Prefer": "respond-async"}
    reply = mill.client().call(method, path, content, headers)
    told = {name: text for name, text in reply.headers.items() if name.lower() not in _LEFT_OUT}
    return {"headers": told, "body": reply.body.decode()}


@contextmanager
def pygeoapi(stored: int = 0) -> Iterator[Peer]:
    """The pygeoapi of `make peers`, as its documentation has it run: TinyDB, gunicorn, two workers of four threads.

    stored: jobs that it has, of the process that it ships.
    """
    place = temporary()
    python = PYGEOAPI / "bin/python"
    (place / "jobs.db").write_text(json.dumps({"_default": dict(enumerate(_jobs(stored, place), 1))}))
    with _listener() as listener:
        port = listener.getsockname()[1]
        (place / "config.yml").write_text(json.dumps(_config(port, place)))  # YAML, too
        files = {"PYGEOAPI_CONFIG": str(place / "config.yml"), "PYGEOAPI_OPENAPI": str(place / "openapi.yml")}
        command = [str(PYGEOAPI / "bin/pygeoapi"), "openapi", "generate", "config.yml", "--output-file", "openapi.yml"]
        made = subprocess.run([python, *command], cwd=place, env=os.environ | files, capture_output=True, text=True)
        expect(made.returncode == 0, f"pygeoapi cannot be set up: {made.stderr[-500:]}")
        with _gunicorn(str(python), "pygeoapi.flask_app:APP", 2, 4, place, files, listener) as peer:
            yield peer


def _jobs(count: int, place: Path) -> Iterator[dict[str, Any]]:
    """What TinyDB knows of jobs that have ended."""
    moment = "2026-01-01T00:00:00.000000Z"
    times = dict.fromkeys(("created", "started", "updated", "finished"), moment)
    for _ in range(count):
        name = str(uuid.uuid4())
        told = {"status": "successful", "mimetype": "application/json", "message": "Job complete", "progress": 100}
        known = {"type": "process", "identifier": name, "process_id": HELLO[0], "location": f"{place}/{name}"}
        yield {**known, **times, **told}


def stored_job(peer: Peer) -> str:
    """The id of a job that pygeoapi has had from the beginning."""
    jobs = json.loads((peer.place / "jobs.db").read_text())["_default"]
    return str(next(reversed(jobs.values()))["identifier"])


def _config(port: int, place: Path) -> dict[str, Any]:
    """The least that pygeoapi starts with, and the process that it ships."""
    url = f"http://127.0.0.1:{port}"
    contact = "position address city stateorprovince postalcode country phone fax email hours instructions role".split()
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": port},
            "url": url,
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "languages": ["en-US"],
            "limits": {"default_items": 20, "max_items": 50},
            "map": {"url": f"{url}/{{z}}/{{x}}/{{y}}.png", "attribution": "none"},
            "manager": {"name": "TinyDB", "connection": str(place / "jobs.db"), "output_dir": str(place)},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {
                **{"title": "peer", "description": "peer", "keywords": ["peer"], "keywords_type": "theme"},
                **{"terms_of_service": url, "url": url},
            },
            "license": {"name": "none", "url": url},
            "provider": {"name": "nobody", "url": url},
            "contact": {"name": "nobody", "url": url, **dict.fromkeys(contact, "none")},
        },
        "resources": {HELLO[0]: {"type": "process", "processor": {"name": "HelloWorld"}}},
    }


@contextmanager
def _gunicorn(
    python: str, application: str, workers: int, threads: int, place: Path, environment: dict[str, str],
    listener: socket.socket | None = None,
) -> Iterator[Peer]:  # fmt: skip
    """An application under gunicorn, in a folder that has no settings for it; ready when this begins."""
    with listener or _listener() as bound, open(place / "log", "wb") as log:
        number, begun = bound.fileno(), time.monotonic()
        options = {"worker-class": "gthread", "workers": workers, "threads": threads, "keep-alive": KEEPALIVE}
        options["bind"] = f"fd://{number}"
        command = [python, "-m", "gunicorn", *(f"--{name}={value}" for name, value in options.items())]
        server = subprocess.Popen(
            [*command, "--no-control-socket", "--chdir", str(place), application],
            cwd=place, env={**os.environ, **environment}, stdout=log, stderr=log, pass_fds=[number],
        )  # fmt: skip
        port = bound.getsockname()[1]
    try:
        peer = Peer(f"http://127.0.0.1:{port}/", server.pid, place)
        until(lambda: server.poll() is not None or _answers(peer))
        expect(server.poll() is None, f"{application} did not start: {(place / 'log').read_text()[-500:]}")
        yield replace(peer, seconds=time.monotonic() - begun)
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()
        server.wait()


def _answers(peer: Peer) -> bool:
    with suppress(OSError, Failed):
        return len(peer.workers()) > 0 and peer.client().call("GET", "/").status > 0
    return False


def _listener() -> socket.socket:
    """A socket that listens on a free loopback port."""
    return socket.create_server(("127.0.0.1", 0), backlog=2048)


class Forks:
    """Bare forks of one template, two jobs at a time; to be used in a `with`."""

    def __init__(self, template: str) -> None:
        """template: whose libraries it has in memory."""
        command = [sys.executable, "-m", "benchmarks.bare.forks", template, str(temporary() / "forks")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload]
        self._line()

    def jobs(self, count: int) -> float:
        """Jobs a second."""
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return count / float(self._line())

    def _line(self) -> str:
        line = str(self._process.stdout.readline())
        expect(bool(line), "the bare forks have ended")
        return line

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
