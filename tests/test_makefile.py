"""What `make` says on a machine that lacks something, and that `.ci/run` passes only when every step does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
CALLED = ("python3.13", "python3.12", "python3", "python3.11")  # what the Makefile tries
TOGETHER = [["lint"], ["types", "clients"], ["test"], ["demo", "demo-cwl"]]  # what .ci/run does at the same time
STEPS = ["lint", "types", "test", "demo", "demo-cwl"]

TOO_OLD = "#!/bin/sh\nexit 1\n"
# without the package python3-venv Debian's Python has no ensurepip; it is always called as `python -c CODE`
NO_ENSUREPIP = f"""#!/bin/sh
exec {sys.executable} -c 'import sys; sys.modules["ensurepip"] = None; exec(sys.argv[2])' "$@"
"""
MAKE = '#!/bin/sh\necho "$@" >> made\ntest "$1" != "$FAILS"\n'

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what the Makefile looks at, and nothing installed."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_make_alone_lists_what_there_is(checkout: Path) -> None:
    done = run(checkout, "make")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("make demo ")
    assert sorted(path.name for path in checkout.iterdir()) == ["Makefile", "pyproject.toml", "setup.cfg"]


def test_the_list_names_all_there_is(checkout: Path) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.M)
    assert {"help", *listed(checkout)} == set(phony.split())


@pytest.mark.thorough
def test_all_that_the_list_names_is_there(checkout: Path) -> None:
    for target in listed(checkout):
        done = run(checkout, "make", "--dry-run", target, f"PYTHON={sys.executable}")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", ["install", "demo", "serve", "test", "lint", "types", "bench", "chaos", "soak"])
def test_without_a_python_that_is_new_enough_make_says_so_in_one_line(checkout: Path, target: str) -> None:
    done = run(checkout, "make", target, python=TOO_OLD)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "Geomill needs Python 3.11 or newer: install the package python3, or say make PYTHON=" in line
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("whose, folder", [("clients", "tests/clients"), ("peers", "benchmarks/peers")])
def test_without_a_python_that_is_new_enough_for_them_make_says_so_of_others(
    checkout: Path, whose: str, folder: str
) -> None:
    (checkout / folder).mkdir(parents=True)
    (checkout / folder / "one.txt").touch()
    (checkout / ".venv").mkdir()
    (checkout / ".venv/pyvenv.cfg").touch()
    done = run(checkout, "make", whose, "CLIENTS_PYTHON=python3 python3.12", python=TOO_OLD)
    assert done.returncode == 2
    assert f"The {whose} need Python 3.12 or newer: say make {whose} CLIENTS_PYTHON=" in done.stderr
    assert not (checkout / ".venv" / whose).exists()


def test_without_ensurepip_make_names_the_package_in_one_line(checkout: Path) -> None:
    done = run(checkout, "make", "install", python=NO_ENSUREPIP)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert f"python3.13 cannot make virtual environments: install the package {package}" in line
    assert not (checkout / ".venv").exists()


def test_the_newest_python_that_can_make_virtual_environments_is_taken(checkout: Path) -> None:
    program(checkout / "bin" / "python3.13", NO_ENSUREPIP)
    for name in ("python3.12", "python3"):
        program(checkout / "bin" / name, f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    done = run(checkout, "make", "--dry-run", "install", path=checkout / "bin")
    assert "\npython3.12 -m venv .venv\n" in f"\n{done.stdout}"


def test_a_python_that_is_named_is_taken(checkout: Path) -> None:
    done = run(checkout, "make", "--dry-run", "install", f"PYTHON={sys.executable}", python=TOO_OLD)
    assert f"{sys.executable} -m venv .venv\n" in done.stdout


@pytest.mark.parametrize("fails", ["", "clients"])
def test_ci_makes_every_step_and_passes_without_clients_too(tmp_path: Path, fails: str) -> None:
    done = ci(tmp_path, fails=fails)
    assert (done.returncode, made(tmp_path)) == (0, [sorted(each) for each in TOGETHER])
    assert ("clients cannot be installed here: the tests that need them will skip" in done.stdout) == bool(fails)
    assert done.stdout.splitlines()[-1].startswith("== everything passed in ")


@pytest.mark.parametrize("step", STEPS)
def test_ci_fails_when_a_step_fails(tmp_path: Path, step: str) -> None:
    done = ci(tmp_path, fails=step)
    (last,) = (number for number, each in enumerate(TOGETHER) if step in each)
    assert (done.returncode, made(tmp_path)) == (1, [sorted(each) for each in TOGETHER[: last + 1]])
    assert "passed" not in done.stdout


def ci(folder: Path, *, fails: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/run with a make that fails at one step, from another folder."""
    (folder / ".ci").mkdir()
    (folder / "elsewhere").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")
    program(folder / "bin" / "make", MAKE)
    return run(folder / "elsewhere", "bash", str(folder / ".ci" / "run"), path=folder / "bin", FAILS=fails)


def made(folder: Path) -> list[list[str]]:
    """What that make was asked for; in alphabetical order what was done at the same time."""
    found, targets = [], (folder / "made").read_text().split()
    for each in TOGETHER:
        found.append(sorted(targets[: len(each)]))
        targets = targets[len(each) :]
    return [each for each in found if each] + [[each] for each in targets]


def listed(checkout: Path) -> list[str]:
    """The targets in the list that `make` prints."""
    return re.findall(r"^make ([\w-]+) ", run(checkout, "make").stdout, re.M)


def run(
    folder: Path, *command: str, python: str | None = None, path: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command. python: what to find instead of any Python; path: a folder of programs that come first."""
    if python:
        path = folder / "bin"
        for name in CALLED:
            program(path / name, python)
    # the make that runs these tests says in the environment what it was asked for
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    environ |= variables | {"LC_ALL": "C", "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)


def program(path: Path, text: str) -> None:
    """Write a program."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
