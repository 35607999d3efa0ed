"""What cannot work, or is not what it seems, is said in one sentence when a server starts."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.mills import COMMAND, environ, serving, stop
from support.variants import thorough
from support.waiting import until

from geomill.app.config import Settings

TAKEN_OVER = "Jobs of this home were started by another version or under other settings; from now on these count"


def fails(settings: Settings, **given: str) -> str:
    """The one line that a server leaves that does not start."""
    named = {"home": str(settings.home), "runtime_dir": str(settings.runtime_dir), "port": "0", **given}
    done = subprocess.run([*COMMAND, "serve"], env=environ(named), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line.removeprefix("Error: ")


@contextmanager
def welcomed(settings: Settings, **given: str) -> Iterator[str]:
    """What a server says when it is ready, at once."""
    named = {"home": str(settings.home), "runtime_dir": str(settings.runtime_dir), "port": "0", **given}
    said = settings.home.with_name("said")
    with said.open("w") as file:
        server = subprocess.Popen([*COMMAND, "serve"], env=environ(named), stdout=file, text=True)
    try:
        yield until(said.read_text, 40)
    finally:
        stop(server, settings)


def test_a_home_that_belongs_to_somebody_else(settings: Settings) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    settings.home.mkdir(exist_ok=True)
    os.chown(settings.home, 65534, 65534)
    expected = f"home: {settings.home} belongs to user 65534, not to user 0: run this as its owner"
    assert fails(settings) == expected


def test_a_runtime_directory_of_somebody_else_or_open_to_others(settings: Settings) -> None:
    settings.runtime_dir.mkdir(mode=0o755)
    settings.runtime_dir.chmod(0o755)
    assert re.match("runtime_dir: .* is open to others; chmod 700 it, or choose another", fails(settings))
    if os.geteuid() == 0:
        os.chown(settings.runtime_dir, 65534, 65534)
        assert fails(settings).endswith("belongs to user 65534, not to user 0")


def test_a_runtime_directory_that_cannot_be_made(settings: Settings) -> None:
    assert re.fullmatch("runtime_dir: /proc/1/none/run: .*", fails(settings, runtime_dir="/proc/1/none/run"))


def test_a_home_that_is_served_with_another_runtime_directory(settings: Settings, tmp_path: Path) -> None:
    with serving(settings):
        line = fails(settings, runtime_dir=str(tmp_path / "other"))
    assert line.startswith(f"runtime_dir: {settings.home} is being served with {settings.runtime_dir}: use that one")


@pytest.mark.parametrize("given, taken_over", [({"max_running": "7"}, True), thorough({"title": "Another"}, False)])
@pytest.mark.thorough
def test_a_second_server_of_a_home_says_when_its_settings_count_from_now_on(
    settings: Settings, given: dict[str, str], taken_over: bool
) -> None:
    with serving(settings) as mill:
        before = mill.dispatcher()
        processes = str(settings.processes[0])
        with welcomed(settings, processes=processes, **given) as said:
            assert (TAKEN_OVER in said) == taken_over
            until(lambda: (mill.dispatcher() not in (None, before)) == taken_over)


def test_a_server_says_why_it_accepts_no_job(settings: Settings) -> None:
    with welcomed(settings, min_free_bytes="1000000 GB") as said:
        assert f"{settings.home}: below min_free_bytes: no job is accepted" in said


def test_a_server_says_that_its_tokens_are_torn(settings: Settings) -> None:
    path = settings.home / "identity" / "tokens.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"half')
    with welcomed(settings) as said:
        assert f"No token is known: {path} is no list of tokens; the server lets nobody in with one; restore" in said
