"""Packages written down and loaded as a job would; servers that run them, and a web server for their inputs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.hostile import PYTHON, Site, site
from support.mills import Mill, serving

from geomill.app.config import Settings
from geomill.app.sandbox import bubblewrap

pytest.importorskip("cwltool", reason="the extra cwl is not installed")

LIMITS = {"max_output": str(256 << 20), "max_processes": "64", "grace": "0.1", "max_running": "4"}
SECRET = "nobody may read this: 5f2c"
DOCUMENTS = Path(__file__).with_name("documents")


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """What the template of the jobs does once."""
    from geomill.app.cwl import loading

    loading.warm_up()


Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a document, given as text or by the name of a file, as cwltool's process."""
    from geomill.app.cwl import document, loading

    def load(text: str, w: str | None = None) -> Any:
        path = tmp_path / "somewhere.cwl"
        path.write_bytes((DOCUMENTS / text).read_bytes() if text.endswith(".cwl") else text.encode())
        return loading.load(path, document.entry(document.parse(path.read_bytes()), w))

    return load


@pytest.fixture
def describe(load: Load) -> Load:
    """Describe a document, given as text or by the name of a file."""
    from geomill.app.cwl import description, document

    def describe(text: str, w: str | None = None) -> Any:
        parsed = document.parse((DOCUMENTS / text).read_bytes() if text.endswith(".cwl") else text.encode())
        chosen = document.entry(parsed, w)
        return description.describe(load(text, w), parsed, document.process_id(parsed, chosen, w))

    return describe


def needs_sandbox() -> None:
    """Skip where tools cannot be kept apart."""
    if why := bubblewrap.closed():
        pytest.skip(why)
    if shutil.which(PYTHON) is None:
        pytest.skip(f"there is no {PYTHON}")


@pytest.fixture(scope="package")
def web() -> Iterator[Site]:
    """A web server on loopback, which inputs may come from."""
    with site() as web:
        yield web


@pytest.fixture(scope="package")
def closed_web() -> Iterator[Site]:
    """Another one, which they may not."""
    with site() as web:
        yield web


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, web: Site) -> Iterator[Mill]:
    """A server that several tests use, whose tools are kept apart."""
    needs_sandbox()
    root = tmp_path_factory.mktemp("mill")
    settings = Settings(home=root / "home", runtime_dir=root / "run")
    with serving(settings, shared=True, allow=web.address, **LIMITS) as mill:
        yield mill


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for a process that no other test uses."""
    return f"p{abs(hash(request.node.nodeid))}"


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A folder of somebody else on the host, which has to stay as it is."""
    folder = tmp_path / "victim"
    (folder / "sub").mkdir(parents=True)
    (folder / "secret.txt").write_text(SECRET)
    (folder / "sub" / "secret.txt").write_text(SECRET)
    before = _state(folder)
    yield folder
    assert _state(folder) == before, "a file of the host was changed"


def _state(folder: Path) -> list[tuple[str, int, int]]:
    """What a folder holds, its rights and links included."""
    return sorted((str(path), os.lstat(path).st_mode, os.lstat(path).st_nlink) for path in folder.rglob("*"))
