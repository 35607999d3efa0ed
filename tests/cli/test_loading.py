"""What makes a start fast and workers small, by counting: code is read once, before there are workers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# as the master does, which then forks; the worker says what it imports
WORKER = """
import gc, json, sys
from pathlib import Path
from geomill.app import create_app
from geomill.app.cli import web
from geomill.app.config import Settings
import encodings.idna, flask.testing  # of this test

settings = Settings(home=Path("home"), runtime_dir=Path("run"))
web.load(settings)
assert gc.isenabled()
frozen, known = gc.get_freeze_count(), set(sys.modules)
client = create_app(settings).test_client()
for accept in ("application/json", "text/html"):
    for path in ("/", "/conformance", "/api", "/processes", "/processes/echo", "/jobs"):
        assert client.get(path, headers={"Accept": accept}).status_code == 200, path
execution = {"json": {"inputs": {"echoInput": "hello"}}, "headers": {"Prefer": "respond-async"}}
assert client.post("/processes/echo/execution", **execution).status_code == 201
ours = {name for name in set(sys.modules) - known if not name.startswith("encodings.")}
print(json.dumps({"imported": sorted(ours), "frozen": frozen, "left": len(gc.get_objects())}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a worker did: {"imported", "frozen", "left"}, these two objects."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", WORKER], cwd=tmp_path_factory.mktemp("worker"), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_worker_imports_nothing_that_its_master_could_have(told: dict[str, object]) -> None:
    assert told["imported"] == []


def test_the_garbage_collector_of_a_worker_passes_over_what_the_master_made(told: dict[str, object]) -> None:
    assert int(str(told["frozen"])) > int(str(told["left"])) > 0


@pytest.mark.parametrize("module", ["geomill.app.cli", "geomill.app.cli.serve"])
def test_a_command_that_serves_loads_no_client_and_no_other_command(module: str, tmp_path: Path) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not {"geomill.client", "geomill.jobstore", "flask", "gunicorn", "urllib.request"} & loaded
    ours = {name for name in loaded if name.startswith("geomill.app.cli.")}
    assert ours <= {"geomill.app.cli.serve", "geomill.app.cli.options"}
