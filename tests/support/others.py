"""Another user of this host, as whom root can have jobs run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TEMPORARY = Path("/tmp")


def needs_another_user(folder: Path) -> None:
    """Skip where no job can run as somebody else; else let him pass to this folder of a test."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    open_to_others(folder)


def open_to_others(folder: Path) -> None:
    """Let others pass; pytest's folders are closed."""
    for path in (folder, *folder.parents):
        if path.owner() == "root" and TEMPORARY in path.parents:
            path.chmod(path.stat().st_mode | 0o711)
