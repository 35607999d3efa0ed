"""The wheel holds what the folders hold, works where it is installed, and takes nobody's `app` or `processes` away."""

from __future__ import annotations

import email
import fcntl
import json
import os
import shutil
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import installs, mills
from support.installs import run

from geomill.app.config import Settings
from geomill.app.engine.client import Engine, open_store
from geomill.app.engine.runtime import ELECTION

ROOT = Path(__file__).parent.parent
PACKAGES = ("app", "client", "jobstore", "processes")

WHERE = '''
import geomill.app.engine.child

from geomill.processes import process


@process
def where() -> str:
    """Tell whose code runs this job."""
    return geomill.app.engine.child.__file__
'''
NEIGHBOURLY = '''
from geomill.processes import process
from {package}.words import WORD

from . import OWNER


@process
def greet(name: str) -> str:
    """Greet."""
    return f"{{WORD}} {{name}}, says {{OWNER}}"
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder without what git ignores."""
    return installs.clean_copy(tmp_path_factory.mktemp("clean") / "geomill")


@pytest.fixture(scope="module")
def wheel(copy: Path) -> Path:
    """The wheel built from it."""
    return installs.build(copy, copy.parent)


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that has the wheel, and the libraries of this one, but not our checkout."""
    python = installs.environment(tmp_path_factory.mktemp("installed") / "venv")
    installs.install(python, wheel)
    return python


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home, and a folder `mine` of process files."""
    runtime_dir = Path(tempfile.mkdtemp(prefix="mill-"))  # pytest's folders are too long a name for a socket
    yield Settings(tmp_path / "home", runtime_dir, processes=(tmp_path / "mine",))
    shutil.rmtree(runtime_dir)


def test_the_wheel_has_no_top_level_name_but_ours(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"geomill"}


def test_the_wheel_has_every_file_of_the_packages_and_no_others(names: set[str], copy: Path) -> None:
    # a folder that setup.cfg does not list in `packages`, or a file that no line of package_data matches, is missing
    files = [path.relative_to(copy) for name in PACKAGES for path in (copy / name).rglob("*") if path.is_file()]
    assert {name for name in names if name.startswith("geomill/")} == {f"geomill/{file}" for file in files}


def test_the_wheel_has_templates_and_types(names: set[str]) -> None:
    known = {"app/templates/problem.html", "app/py.typed", "jobstore/py.typed", "processes/py.typed", "client/py.typed"}
    assert {f"geomill/{name}" for name in known} <= names


def test_every_folder_with_python_files_is_a_package(copy: Path) -> None:
    folders = {path.parent for name in PACKAGES for path in (copy / name).rglob("*.py")}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_the_wheel_says_what_it_is_and_carries_the_licence(wheel: Path, names: set[str]) -> None:
    (licence,) = (name for name in names if name.endswith(".dist-info/licenses/LICENSE"))
    with zipfile.ZipFile(wheel) as archive:
        told = email.message_from_bytes(archive.read(licence.replace("licenses/LICENSE", "METADATA")))
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert (told["Name"], told["License-Expression"], told["Requires-Python"]) == ("geomill", "MIT", ">=3.11")
    assert str(told.get_payload()).startswith("# Geomill")


@pytest.mark.thorough
def test_every_module_of_the_wheel_can_be_imported(python: Path, names: set[str], tmp_path: Path) -> None:
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in names
        if name.startswith("geomill/") and name.endswith(".py") and not name.endswith("__main__.py")
    )
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    run(python, "-c", code, *modules, cwd=tmp_path)


@pytest.mark.thorough
def test_an_installed_command_executes_a_process(python: Path, settings: Settings) -> None:
    command = (python, "-m", "geomill.app.cli")
    assert execute(command, settings, "echo", "-i", "echoInput=hi") == {"echoInput": "hi"}


@pytest.mark.thorough
def test_an_installed_command_runs_jobs_of_installed_code(python: Path, settings: Settings) -> None:
    settings.processes[0].mkdir()
    (settings.processes[0] / "where.py").write_text(WHERE)
    found = execute([python.with_name("geomill")], settings, "where")["result"]
    assert Path(found).is_relative_to(python.parent.parent)


def test_an_installed_server_serves(python: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mills, "COMMAND", (python, "-P", "-m", "geomill.app.cli"))
    with mills.serving(settings, "--workers", "1") as mill:
        assert post(f"{mill.url}/processes/echo/execution", {"echoInput": "hi"}) == {"echoInput": "hi"}
        page = urllib.request.Request(f"{mill.url}/problems/bad-input", headers={"Accept": "text/html"})
        with urllib.request.urlopen(page, timeout=30) as reply:
            assert "<html" in reply.read().decode()


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("install", ["editable", "wheel"])
def test_a_users_own_package_runs_by_its_name(
    install: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    interpreter = sys.executable if install == "editable" else request.getfixturevalue("python")
    (tmp_path / name).mkdir()
    (tmp_path / name / "__main__.py").write_text("print('mine')")
    assert run(interpreter, "-m", name, cwd=tmp_path) == "mine\n"


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("install", ["editable", "wheel"])
def test_no_package_of_ours_has_a_plain_name(
    install: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    interpreter = sys.executable if install == "editable" else request.getfixturevalue("python")
    code = f"from importlib.util import find_spec; print(find_spec({name!r}))"
    assert run(interpreter, "-c", code, cwd=tmp_path) == "None\n"


@pytest.mark.parametrize("package", ["processes", "app", "jobstore"])
def test_a_users_package_of_process_files_may_be_called_like_ours(
    package: str, tmp_path: Path, settings: Settings
) -> None:
    folder = tmp_path / "mine" / package
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("OWNER = 'Ada'")
    (folder / "words.py").write_text("WORD = 'Hello'")
    (folder / "greet.py").write_text(NEIGHBOURLY.format(package=package))
    named = Settings(settings.home, settings.runtime_dir, processes=(folder,))
    with mills.serving(named, "--workers", "1") as mill:
        with urllib.request.urlopen(f"{mill.url}/processes", timeout=30) as reply:
            assert "greet" in {each["id"] for each in json.load(reply)["processes"]}
        assert post(f"{mill.url}/processes/greet/execution", {"name": "world"}) == "Hello world, says Ada"


def test_process_files_may_have_packages_called_like_ours_beside_them(tmp_path: Path, settings: Settings) -> None:
    folder = settings.processes[0]
    for name in PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"MINE = 'my {name}'")
    imports = "\n".join(f"import {name}" for name in PACKAGES)
    mine = ", ".join(f"{name}.MINE" for name in PACKAGES)
    (folder / "mine.py").write_text(
        f"{imports}\nfrom geomill.processes import process\n\n\n"
        f'@process\ndef mine() -> list[str]:\n    """Name what was imported."""\n    return [{mine}]\n'
    )
    with mills.serving(settings, "--workers", "1") as mill:
        assert post(f"{mill.url}/processes/mine/execution", {}) == [f"my {name}" for name in PACKAGES]


def execute(command: Sequence[str | Path], settings: Settings, *words: str) -> dict[str, str]:
    """The results of `geomill processes execute` in another folder; the dispatcher it started is told to leave."""
    elsewhere = settings.home.parent / "elsewhere"
    elsewhere.mkdir()
    given = {"home": settings.home, "runtime_dir": settings.runtime_dir, "processes": settings.processes[0]}
    environment = mills.environ({name: str(path) for name, path in given.items()})
    try:
        results = json.loads(run(*command, "processes", "execute", *words, "--json", cwd=elsewhere, env=environment))
    finally:
        Engine(settings, open_store(settings)).retire()
        os.close(mills.take(settings.runtime_dir / ELECTION, fcntl.LOCK_EX))  # the dispatcher has it until it has left
    assert isinstance(results, dict)
    return results


def post(url: str, inputs: dict[str, str]) -> Any:
    """The answer to an execution request: of a text, the text; else what its JSON says."""
    request = urllib.request.Request(url, json.dumps({"inputs": inputs}).encode())
    with urllib.request.urlopen(request, timeout=30) as reply:
        content = reply.read().decode()
        return json.loads(content) if reply.headers.get_content_type() == "application/json" else content
