"""A server for the clients of other people."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from support.clients import NAMES, Client
from support.mills import Mill, serving
from support.web import pages

from geomill.app.config import Settings
from geomill.app.sandbox import bubblewrap

PROCESS = '''
from geomill.processes import BBox, process


@process
def grow(box: BBox, degrees: float) -> BBox:
    """Grow a box on every side."""
    west, south, east, north = box.bbox
    return BBox((west - degrees, south - degrees, east + degrees, north + degrees))
'''
PACKAGE = b"""
cwlVersion: v1.2
class: CommandLineTool
id: count
baseCommand: [wc, -w]
inputs: {text: File}
stdin: $(inputs.text.path)
stdout: count.txt
outputs: {count: stdout}
"""


@pytest.fixture(scope="package")
def package() -> Iterator[str]:
    """The address of a package."""
    with pages({"/count.cwl": (200, {"Content-Type": "application/cwl"}, PACKAGE)}) as url:
        yield f"{url}/count.cwl"


@pytest.fixture(scope="package")
def mill(tmp_path_factory: pytest.TempPathFactory, package: str) -> Iterator[Mill]:
    """A server that may fetch the package."""
    root = tmp_path_factory.mktemp("mill")
    (root / "processes").mkdir()
    (root / "processes" / "grow.py").write_text(PROCESS)
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(root / "processes",))
    with serving(settings, "--workers", "1", shared=True, allow=package.split("/")[2]) as mill:
        yield mill


@pytest.fixture(scope="package")
def clients(mill: Mill, package: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Client]:
    """The clients by their names."""
    deploys = not bubblewrap.closed() and find_spec("cwltool")
    home = tmp_path_factory.mktemp("client")
    return {name: Client(name, mill.url, package if deploys else "", home) for name in NAMES}


@pytest.fixture
def client(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
    """The client of a name."""
    return clients[request.param]
