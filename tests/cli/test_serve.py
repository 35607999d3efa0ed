"""What `geomill serve` says when it starts, and when it cannot."""

import socket
import urllib.request
from pathlib import Path

import pytest

from geomill.app.cli.serve import lines
from geomill.app.config import Settings


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
def test_a_start_that_fails_is_one_line(shell, arguments, environ, status, message):
    done = shell("serve", *arguments, **environ)
    assert done.returncode == status
    assert done.stderr.splitlines()[-1].startswith(f"Error: {message}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "settings, line",
    [
        ({}, "Geomill listens on http://127.0.0.1:81/ and keeps its jobs in /home/mill"),
        ({"host": "::1"}, "Geomill listens on http://[::1]:81/ and keeps its jobs in /home/mill"),
        ({"public_url": "https://example.org/ogc"}, "Geomill listens on https://example.org/ogc/ and keeps"),
    ],
)
def test_where_it_listens_is_said_first(settings, line):
    assert lines(Settings(Path("/home/mill"), Path("/run/mill"), **settings), 81)[0].startswith(line)


@pytest.mark.parametrize(
    "host, warned", [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True)]
)
def test_an_address_open_to_a_network_is_warned_of(host, warned):
    told = lines(Settings(Path("/home/mill"), Path("/run/mill"), host=host), 81)
    assert any("changes are refused" in line for line in told) == warned
