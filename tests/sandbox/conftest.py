"""A job's folder with a tool to run in it, as the user of the tests and, when that is root, as an ordinary one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from geomill.app.config import Settings
from geomill.app.egress.way_out import WayOut
from geomill.app.sandbox import Sandbox, Tool, bubblewrap

PYTHON = "/usr/bin/python3"  # which everybody may run, unlike that of the tests
PROXY = "http://127.0.0.1:3128"
ALONE = ("unshare", "--user", "--map-current-user", "--net")  # in a network as a job has one


@dataclass
class Bench:
    """One job at work. user: number of the one whose server this is."""

    root: Path
    user: int
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work = self.root / "home/public/jobs/0123456/job/work"
        for folder in (self.work / "outputs", self.work / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        for path in (self.root, *self.root.rglob("*")):
            os.chown(path, self.user, self.user, follow_symlinks=False)

    @property
    def settings(self) -> Settings:
        """The settings of the server."""
        return Settings(home=self.root / "home", runtime_dir=self.root / "run", **self.more)

    @property
    def rights(self) -> dict[str, Any]:
        """What makes a subprocess one of the user's."""
        return {"user": self.user, "group": self.user, "extra_groups": []} if os.geteuid() == 0 else {}

    def tool(self, *argv: str, environment: Mapping[str, str] | None = None, **more: Any) -> Tool:
        """A run of the tool in this job."""
        return Tool(argv, environment or {}, self.work / "outputs", self.work / "tmp", self.work, **more)

    def run(self, *argv: str, stdin: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a tool to its end, as the server's user."""
        command, environment = Sandbox(self.settings, WayOut(PROXY, apart=True)).command(self.tool(*argv, **more))
        command = [*ALONE, *command] if more.get("network") else command
        return subprocess.run(command, env=environment, input=stdin, capture_output=True, timeout=60, **self.rights)

    def python(self, code: str, *argv: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a script of Python as a tool."""
        return self.run(PYTHON, "-c", code, *argv, **more)


@pytest.fixture(params=["user of the tests", "ordinary user"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A job on a host that has bubblewrap; twice as root, who is much less easily contained."""
    if why := bubblewrap.closed():
        pytest.skip(why)
    if shutil.which(PYTHON) is None:
        pytest.skip(f"there is no {PYTHON}")
    if request.param == "ordinary user":
        if os.geteuid() != 0:
            pytest.skip("the user of the tests is an ordinary one")
        for folder in tmp_path.parents[:2]:
            folder.chmod(0o711)
    return Bench(tmp_path, 1001 if request.param == "ordinary user" else os.geteuid())
