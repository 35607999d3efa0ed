"""Whatever jobs and services say, the commands steer no terminal with it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egpj.exe\u2066\x08\x7f\x00"
PLAIN = "]0;owned[2J31mgpj.exe"  # what of it is printed
END = "<<<end of a command>>>"
ONE_AFTER_THE_OTHER = f"""
import contextlib, json, sys
from geomill.app.cli import main
for command in json.loads(sys.argv[1]):
    with contextlib.suppress(SystemExit):
        main(command)
    sys.stderr.flush()
    print({END!r}, end="", flush=True)
"""
LOG = f"name\tvalue\n{EVIL}\n10 %\r20 %\rgr\xfcn \U0001f600\n"


def steers(text: str) -> list[str]:
    """The characters in a text that do more than to be printed."""
    return sorted({each for each in text if each not in "\n\t" and not each.isprintable()})


def shown(place: dict[str, str], *commands: tuple[str, ...]) -> list[str]:
    """What each of some commands writes to a terminal."""
    master, terminal = pty.openpty()
    pieces: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(master, 65536):
                pieces.append(piece)
        except OSError:  # how a terminal ends
            pass

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(commands)]
    subprocess.run(command, env=place, timeout=60, stdout=terminal, stderr=terminal)
    os.close(terminal)
    reader.join(10)
    os.close(master)
    *texts, rest = b"".join(pieces).decode().replace("\r\n", "\n").split(END)
    assert (len(texts), rest) == (len(commands), "")
    return texts


@pytest.fixture
def shouted(shell, tmp_path):
    """Executes a job that says a text: shouted(text, fails=True) gives its id."""

    def run(text, fails=False):
        request = tmp_path / "request.json"
        request.write_text(json.dumps({"inputs": {"text": text, "fails": fails}}))
        done = shell("processes", "execute", "shout", "--request", request)
        return done.stderr.split()[1]

    return run


COMMANDS = (
    ("jobs", "ls"), ("jobs", "ls", "--json"), ("jobs", "show", "JOB"), ("jobs", "show", "JOB", "--json"),
    ("jobs", "logs", "JOB"), ("jobs", "logs", "JOB", "--follow"), ("jobs", "results", "JOB"),
    ("jobs", "results", "JOB", "--json"),
)  # fmt: skip


@pytest.mark.parametrize("fails", [False, True])
def test_no_text_of_a_job_steers_a_terminal(place, shouted, fails):
    job_id = shouted(LOG, fails)
    commands = [tuple(job_id if word == "JOB" else word for word in command) for command in COMMANDS]
    for command, text in zip(commands, shown(place, *commands), strict=True):
        assert steers(text) == [], command
        assert "owned" in text or (command[1] in ("ls", "show") and not fails), command


def test_a_job_that_fails_under_the_eyes_of_a_terminal_does_not_steer_it(place, tmp_path):
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"inputs": {"text": LOG, "fails": True}}))
    (text,) = shown(place, ("processes", "execute", "shout", "--request", str(request)))
    ours = text.replace("\r\x1b[K", "")  # how the line with the bar is begun anew
    assert steers(ours) == [] and f"  {PLAIN}" in ours.splitlines()


def test_a_log_stays_readable_on_a_terminal(place, shouted):
    (text,) = shown(place, ("jobs", "logs", shouted(LOG)))
    text = text.expandtabs()
    assert text.splitlines() == ["name    value", PLAIN, "10 %", "20 %", "gr\xfcn \U0001f600", ""]


def test_a_log_is_what_was_printed_where_there_is_no_terminal(place, shouted):
    command = [sys.executable, "-m", "geomill.app.cli", "jobs", "logs", shouted(LOG)]
    assert subprocess.run(command, env=place, stdout=subprocess.PIPE, timeout=60).stdout == f"{LOG}\n".encode()


def test_json_says_what_was_said_whatever_it_is(shell, shouted):
    job_id = shouted(EVIL)
    text = shell("jobs", "results", job_id, "--json").stdout
    assert steers(text) == [] and json.loads(text) == {"result": EVIL}


def test_no_text_of_a_service_steers_a_terminal(stranger, geomill, tmp_path):
    described = {"id": "double", "version": EVIL, "title": EVIL, "description": EVIL}
    described["inputs"] = {EVIL: {"title": EVIL, "schema": {"type": EVIL, "enum": [EVIL], "default": EVIL}}}
    described["outputs"] = {EVIL: {"schema": {"format": EVIL}}}
    server = stranger(description=described, results={EVIL: EVIL, "b": {"href": f"http://h/{EVIL}", "type": EVIL}})
    server.jobs[EVIL] = server.jobs["j1"] = 2
    for command in (
        ("processes", "ls"), ("processes", "describe", "double"), ("processes", "describe", "double", "--json"),
        ("processes", "describe", EVIL), ("processes", "execute", "double"),
        *(tuple("j1" if word == "JOB" else word for word in each) for each in COMMANDS if "logs" not in each),
        ("jobs", "show", EVIL), ("jobs", "retry", "j1"), ("jobs", "dismiss", "j1", EVIL),
        ("jobs", "remove", "j1", EVIL),
    ):  # fmt: skip
        done = geomill(*command, "--server", server.url)
        assert done.output and steers(done.output) == [], command


def test_the_name_of_a_file_in_the_home_steers_no_terminal(shell, place):
    wicked = Path(place["GEOMILL_HOME"], "packages", EVIL.replace("\0", "").replace("/", "_"))
    wicked.mkdir()
    try:
        done = shell("fsck")
    finally:
        wicked.rmdir()
    assert f"{PLAIN}: is no package" in done.stdout and steers(done.stdout + done.stderr) == []
