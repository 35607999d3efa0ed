"""Clients of other people, in the environments that `make clients` puts them in."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from support.mills import environ

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv/clients"
CLIENTS = ROOT / "tests/clients"
NAMES = sorted(path.stem for path in CLIENTS.glob("*.txt"))
PAGE = (ROOT / "docs/clients.md").read_text()
SECTIONS = {title: text for title, _, text in (part.partition("\n") for part in PAGE.split("\n## ")[1:])}
TITLES = {
    "owslib": "OWSLib",
    "ogc": "ogc-api-processes-client",
    "unity": "unity-sps-ogc-processes-api-python-client",
    "cuiman": "cuiman",
}
SECONDS = 120.0  # for a client to do all that it can


class Client:
    """A client in its environment. name: that of its file of requirements, and of its driver; home: an empty folder.

    package: the address of a CWL document, empty where none can be deployed.
    """

    def __init__(self, name: str, server: str, package: str, home: Path) -> None:
        self.name, self.server, self.package, self.home = name, server, package, home

    @property
    def driver(self) -> Path:
        """What it is driven by."""
        return CLIENTS / "drivers" / f"with_{self.name}.py"

    @cached_property
    def seen(self) -> dict[str, Any]:
        """What it made of the server's answers, as its driver tells it."""
        seen = json.loads(self.run(str(self.driver), self.server, self.package))
        assert isinstance(seen, dict)
        return seen

    def python(self, code: str) -> str:
        """What a script prints."""
        return self.run("-c", code)

    def run(self, *arguments: str) -> str:
        """What the interpreter of the environment prints. Skips the test where there is none."""
        folder = ENVIRONMENTS / self.name
        if not (folder / "installed").exists():
            pytest.skip(f"{self.name} is not installed: make clients does that, with Python 3.12 and access to PyPI")
        done = subprocess.run(
            [folder / "bin/python", "-P", *arguments], cwd=self.home, timeout=SECONDS,
            env={**environ({}), "HOME": str(self.home), "PYTHONPATH": str(self.driver.parent)},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout


def tables(section: str) -> dict[str, list[list[str]]]:
    """The rows of each table of a section, by the first cell of its head."""
    found = {}
    for table in re.findall(r"(?:^\|.*\n)+", f"{section}\n", re.MULTILINE):
        head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        found[head[0]] = rows
    return found
