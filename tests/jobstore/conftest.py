from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.stores import open_store

from geomill.jobstore import JobStore


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return open_store(tmp_path)


class Syncs:
    """Counts calls of fsync."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The names of what was brought to disk inside the block."""
        paths: list[str] = []
        original = os.fsync

        def fsync(descriptor: int) -> None:
            paths.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
            original(descriptor)

        with self._patch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            yield paths


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    return Syncs(monkeypatch)
