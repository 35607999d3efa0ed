"""Geomill installed elsewhere, from a wheel of this checkout, without a network."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIP = ("-m", "pip", "--disable-pip-version-check")
OFFLINE = ("--no-index", "--no-deps", "--quiet")


def clean_copy(folder: Path) -> Path:
    """The project's folder without what git ignores, in a folder of this name that is not there yet."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()]
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", *ignored))
    return folder


def build(copy: Path, into: Path) -> Path:
    """The wheel built from a copy."""
    run(sys.executable, *PIP, "wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", into, copy)
    (built,) = into.glob("*.whl")
    return built


def environment(folder: Path, python: str = sys.executable) -> Path:
    """The interpreter of a new environment that has the libraries of this one, but neither our checkout nor a wheel."""
    run(python, "-m", "venv", "--without-pip", folder)
    (libraries,) = folder.glob("lib/python*/site-packages")
    # folders named in a .pth file are searched, their own .pth files (that of an editable install) are not read
    (libraries / "libraries.pth").write_text("\n".join(site.getsitepackages()))
    return folder / "bin" / "python"


def install(python: Path, wheel: Path) -> None:
    """Install a wheel there, or another in its place."""
    run(sys.executable, *PIP, "--python", python, "install", *OFFLINE, "--force-reinstall", wheel)


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a command prints; fails the test, with all it said, when it fails."""
    done = subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout
