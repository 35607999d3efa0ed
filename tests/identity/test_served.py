"""A server with several workers, and commands beside it: what is done to tokens counts in all of them at once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mills import COMMAND, Mill, serving

from geomill.app.config import Settings

OFTEN = 24  # requests, each on a connection of its own: every worker gets some


@pytest.fixture
def mill(tmp_path: Path) -> Iterator[Mill]:
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    with serving(settings, "--workers", "3") as mill:
        yield mill


def geomill(mill: Mill, *arguments: str, **more: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_")}
    environ |= {"GEOMILL_HOME": str(mill.settings.home), "GEOMILL_RUNTIME_DIR": str(mill.settings.runtime_dir), **more}
    done = subprocess.run([*COMMAND, *arguments], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def answers(mill: Mill, token: str = "") -> set[int]:
    """How executions are answered, whichever worker it is."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"inputs": {"echoInput": "hi"}}
    path = "/processes/echo/execution"
    return {mill.call("POST", path, body, Prefer="respond-async", **headers).status for _ in range(OFTEN)}


def test_tokens_count_at_once_and_in_every_worker(mill: Mill) -> None:
    assert answers(mill) == {201}
    token = geomill(mill, "token", "create", "--name", "ann", "--role", "executor")
    assert answers(mill) == {401}
    assert answers(mill, token) == {201}
    geomill(mill, "token", "revoke", "ann")
    assert answers(mill, token) == answers(mill) == {401}
    noted = [json.loads(line) for line in (mill.settings.home / "identity/audit.jsonl").read_text().splitlines()]
    assert len(noted) == 5 * OFTEN + 2
    assert {(each.get("caller"), each["status"]) for each in noted if each.get("by") == "token"} == {("ann", 201)}


@pytest.mark.thorough
def test_commands_beside_a_server_have_the_rights_of_the_files(mill: Mill) -> None:
    token = geomill(mill, "token", "create", "--name", "ann", "--role", "executor")
    remote = {"GEOMILL_SERVER": mill.url, "GEOMILL_TOKEN": token}
    assert "hi" in geomill(mill, "processes", "execute", "echo", "-i", "echoInput=hi", **remote)
    job = geomill(mill, "jobs", "ls", **remote).split()[0]
    assert geomill(mill, "jobs", "ls").split()[0] == job
    other = {**remote, "GEOMILL_TOKEN": geomill(mill, "token", "create", "--name", "ben", "--role", "executor")}
    assert geomill(mill, "jobs", "ls", **other) == ""
    assert geomill(mill, "jobs", "remove", job) == f"{job} removed"
