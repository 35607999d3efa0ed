"""What all tests share: no process that a test started outlives it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geomill.app.engine import isolation

sys.path.insert(0, str(Path(__file__).parent))

from support import leaks  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _subreaper() -> None:
    """Whatever loses its parent becomes a child of the tests, and so is found."""
    isolation.adopt_orphans()


@pytest.fixture(autouse=True)
def _no_leaks(_subreaper: None) -> Iterator[None]:
    """Fail a test that leaves a process behind."""
    before = leaks.processes()
    yield
    left = leaks.wait_for_none(before)
    assert not left, f"processes left by the test: {left}"
