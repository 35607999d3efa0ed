"""What `geomill serve` says when it starts, and when it cannot."""

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from support.mills import serving as a_server

from geomill.app.cli.serve import lines
from geomill.app.config import Settings
from geomill.app.engine import reaper

UNTIL_IT_BEGINS = """
import os, sys
from geomill.app.cli import main
os.fork = lambda: sys.exit(print(*{"flask", "gunicorn", "jinja2", "geomill.client", "marshmallow"} & set(sys.modules)))
main(["serve", "--port", "0"])
"""


def test_a_free_port_is_taken_and_named(serving):
    with urllib.request.urlopen(serving, timeout=30) as reply:
        assert reply.status == 200


def test_a_port_in_use_is_one_line(shell):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = shell("serve", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    taken = f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another with --port"
    assert done.stderr == f"Error: {taken}\n"


@pytest.mark.parametrize(
    "arguments, environ, status, message",
    [
        (["--port", "http"], {}, 2, "--port: expected a whole number from 0 to 65535, found 'http'"),
        ([], {"GEOMILL_PROT": "1"}, 1, "GEOMILL_PROT: expected the name of a setting, the nearest is GEOMILL_PORT"),
        (["--host", "256.0.0.1"], {}, 1, "cannot listen on 256.0.0.1 port 8080: "),
        (["--home", "/proc/1/mill"], {}, 1, "/proc/1/mill: "),
    ],
)
def test_a_start_that_fails_is_one_line(shell, tmp_path, arguments, environ, status, message):
    own = {"GEOMILL_HOME": str(tmp_path / "home"), "GEOMILL_RUNTIME_DIR": str(tmp_path / "run")}
    done = shell("serve", *arguments, **own, **environ)
    assert done.returncode == status
    assert done.stderr.splitlines()[-1].startswith(f"Error: {message}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "settings, line",
    [
        ({}, "Geomill listens on http://127.0.0.1:81/ and keeps its jobs in /home/mill"),
        ({"host": "::1"}, "Geomill listens on http://[::1]:81/ and keeps its jobs in /home/mill"),
        ({"public_url": "https://example.org/ogc"}, "Geomill listens on http://127.0.0.1:81/ and keeps"),
    ],
)
def test_where_it_listens_is_said_first(settings, line):
    assert lines(Settings(Path("/home/mill"), Path("/run/mill"), **settings), 81)[0].startswith(line)


@pytest.mark.parametrize(
    "settings, warned",
    [
        *(({"host": host}, False) for host in ("127.0.0.1", "localhost", "::1")),
        ({"host": "0.0.0.0"}, True),
        ({"trust_proxy": True}, True),
        ({"public_url": "https://example.org/"}, True),
    ],
)
def test_a_server_that_is_offered_to_a_network_is_warned_of(settings, warned):
    told = lines(Settings(Path("/home/mill"), Path("/run/mill"), **settings), 81)
    assert any("changes are refused" in line for line in told) == warned


def test_a_check_names_process_files_that_are_none(shell, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/wrong.py").write_text("import nothing_of_the_kind")
    for _ in range(2):  # whoever has looked before
        done = shell("serve", "--check", "--processes", tmp_path / "mine")
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: {tmp_path}/mine/wrong.py is no process: ")


def test_a_check_says_that_no_job_would_be_accepted(shell, place):
    done = shell("serve", "--check", GEOMILL_MIN_FREE_BYTES="1000 TB")
    told = f"Error: {place['GEOMILL_HOME']}: below min_free_bytes: no job is accepted\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_check_notes_a_server_that_is_open_to_everybody(shell, tmp_path):
    own = {"GEOMILL_HOME": str(tmp_path / "home"), "GEOMILL_RUNTIME_DIR": str(tmp_path / "run")}
    done = shell("serve", "--check", **own)
    told = "Note: whoever reaches 127.0.0.1 port 8080 on this host may do everything"
    new, note = done.stdout.splitlines()
    assert (done.returncode, note.startswith(told)) == (0, True)
    assert new == f"Note: {tmp_path / 'home'} is a new home, with no job and no token."
    assert shell("serve", "--check", **own, GEOMILL_TRUST_PROXY="true").stdout == ""
    shell("token", "create", "--name", "ann", "--role", "reader", **own)
    assert shell("serve", "--check", **own).stdout == ""


def test_a_check_says_what_is_wrong_and_serves_nothing(shell):
    assert shell("serve", "--check").returncode == 0
    done = shell("serve", "--check", "--images", "/none.toml")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: images: /none.toml")


def test_a_dispatcher_is_begun_before_the_web_is_loaded(tmp_path: Path) -> None:
    environment = {"GEOMILL_HOME": str(tmp_path / "home"), "GEOMILL_RUNTIME_DIR": str(tmp_path / "run")}
    command = [sys.executable, "-c", UNTIL_IT_BEGINS]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_a_dispatcher_is_there_before_any_worker_and_is_no_child_of_theirs(tmp_path: Path) -> None:
    with a_server(Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")) as mill:
        dispatcher = mill.dispatcher()
        begun = reaper.start_time(dispatcher)
        assert all(begun <= reaper.start_time(worker) for worker in mill.workers())
        assert not any(dispatcher in reaper.children(pid) for pid in (mill.pid, *mill.workers()))
