"""The application under other servers than `geomill serve`: what wsgi.py promises."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.mills import Mill, environ, stop
from support.variants import thorough

from geomill.app.config import Settings

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "flask": ["flask", "--app", "wsgi", "run", "--port", "0"],
    "gunicorn": ["gunicorn", "wsgi:app"],
}


@contextmanager
def running(command: list[str], settings: Settings) -> Iterator[Mill]:
    """The server that a command starts in the checkout, with settings from the environment."""
    given = environ({"home": str(settings.home), "runtime_dir": str(settings.runtime_dir), "port": "0"})
    program = [sys.executable, "-m", *command]
    server = subprocess.Popen(
        program, env=given, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert server.stdout
    try:
        lines = (re.search(r"http://[\d.]+:\d+", line) for line in server.stdout)
        yield Mill(next(found[0] for found in lines if found), server.pid, settings)
    finally:
        stop(server, settings)


@pytest.mark.parametrize("server", COMMANDS)
def test_jobs_are_executed_under_any_server(tmp_path: Path, server: str) -> None:
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    with running(COMMANDS[server], settings) as mill:
        body = {"inputs": {"echoInput": "hello"}}
        reply = mill.call("POST", "/processes/echo/execution", {**body, "outputs": {"echoInput": {}}})
        assert (reply.status, reply.data) == (200, b"hello")
        reply = mill.call("POST", "/processes/echo/execution", body, Prefer="respond-async")
        assert reply.headers["Location"].startswith(f"{mill.url}/jobs/")


@pytest.mark.parametrize("header", ["X-Forwarded-Proto", thorough("X-Forwarded-Ssl"), thorough("Script-Name")])
def test_nobody_is_believed_who_was_not_named(tmp_path: Path, header: str) -> None:
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    with running(COMMANDS["gunicorn"], settings) as mill:
        value = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"}.get(header, "/foo")
        reply = mill.call("GET", "/", **{header: value, header.replace("-", "_"): value})
        assert reply.json()["links"][0]["href"] == f"{mill.url}/"
