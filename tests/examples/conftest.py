"""What the tests of the examples share: their modules can be imported, and each test has a folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """The working directory of a step."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
