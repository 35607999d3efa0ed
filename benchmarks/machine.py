"""What the figures were measured on, and with."""

from __future__ import annotations

import os
import platform
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import beside

HOMES = "/tmp"  # where those of the servers are


def lines() -> list[str]:
    """The machine, the versions and the day, a line each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    others = {name: version(name) for name in ("geomill", "flask", "gunicorn")}
    others |= {"SQLite": sqlite3.sqlite_version, "cwltool": _version("cwltool")}
    others["pygeoapi"] = beside.version("pygeoapi") or "not installed: `make peers` does that; its rows are left out"
    return [
        f"{os.cpu_count()} processors ({_model()}), {memory:.0f} GB of memory, Linux {platform.release()}, "
        f"homes on {file_system(Path(HOMES))}",
        f"Python {platform.python_version()}, {', '.join(f'{name} {number}' for name, number in others.items())}",
        f"{datetime.now(UTC):%Y-%m-%d}",
    ]


def file_system(path: Path) -> str:
    """The type of the file system that a folder is on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    around = {str(path), *map(str, path.parents)}
    return max((fields for fields in mounts if fields[1] in around), key=lambda fields: len(fields[1]))[2]


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
