"""The README is true: its commands are run as they stand, in a copy of its folder with a home of their own.

So are those of the pages on the API, on ArcGIS, on writing processes and on deploying packages.
"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from typing import IO, Any

import pytest
from support.documented import (
    ADDRESS,
    HOME,
    JOB,
    README,
    ROOT,
    Mill,
    Place,
    blocks,
    check,
    commands,
    first,
    kind,
    pattern,
    place,
    run,
    started,
)
from support.variants import thorough

from geomill.app.sandbox import bubblewrap

API, WRITING, OPERATING, DEPLOYING, ARCGIS = (
    (ROOT / "docs" / name).read_text()
    for name in ("api.md", "writing-processes.md", "operating.md", "deploying-packages.md", "arcgis.md")
)
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@pytest.fixture(scope="module")
def mill(request: pytest.FixtureRequest) -> Iterator[Mill]:
    """Such a server where somebody stands who has written the processes of a page."""
    with place("python", "yaml", page=request.param) as here:
        allow = f"GEOMILL_ALLOW=file://{here.folder}/examples/virginia/"
        with started(f"{allow} {first('serve').line} --port 0", here) as (said, address):
            yield Mill(request.param, here, said, address)


@pytest.mark.parametrize("mill", [README], indirect=True, ids=["readme"])
def test_the_server_says_what_the_readme_shows(mill: Mill) -> None:
    shown = first("serve").shown.replace(ADDRESS, mill.address).replace(HOME, mill.place.environ["HOME"])
    assert re.fullmatch(pattern(shown), mill.said)


runs_packages = pytest.mark.skipif(
    bool(bubblewrap.closed()) or not find_spec("cwltool"), reason="this host runs no packages"
)
RUN = [
    pytest.param(README, id="readme", marks=runs_packages),
    pytest.param(WRITING, id="writing", marks=pytest.mark.thorough),
    pytest.param(API, id="api"),
    pytest.param(ARCGIS, id="arcgis"),
    pytest.param(DEPLOYING, id="deploying", marks=[runs_packages, pytest.mark.thorough]),
]


@pytest.mark.parametrize("mill", RUN, indirect=True)
def test_a_command_prints_what_the_page_shows(mill: Mill) -> None:
    check(mill)


def test_the_line_for_cron_removes_the_jobs_that_failed() -> None:
    lines = [command.line for block in blocks("console", OPERATING) for command in commands(block)]
    (line,) = [each for each in lines if "xargs" in each]
    failing = '{"inputs": {"geometry": {"type": "Point", "coordinates": [8, 47]}, "distance": -1}}'
    with place() as here, started(f"{first('serve').line} --port 0", here) as (said, address):
        mill = Mill(OPERATING, here, said, address)
        for _ in range(2):
            run([f"curl -s http://{ADDRESS}/processes/buffer/execution -d '{failing}'"], mill)
        path = "export PATH=$PWD/.venv/bin:$PATH"
        assert re.fullmatch(f"({JOB} removed\n){{2}}", run([path, line], mill))
        assert not run([path, "geomill jobs ls"], mill)


INPUTS = re.findall(r"^\| [\w ]+ \| `(\{.*\})` \|$", API[: API.index("## What an answer")], re.MULTILINE)
OUTPUTS = re.findall(r"^\| `(\{.*\})` \| .* \|$", API, re.MULTILINE)


@pytest.mark.parametrize("mill", [API], indirect=True, ids=["api"])
@pytest.mark.parametrize("given", INPUTS)
def test_inputs_can_be_given_as_the_page_about_the_api_says(mill: Mill, given: str) -> None:
    scene = f"file://{mill.place.folder}/examples/virginia/green.tif"
    inputs = {"echoInput": "hi", **json.loads(given.replace("https://example.org/scene.tif", scene))}
    status, body = execute_echo(mill, {"inputs": inputs})
    assert status == 200
    assert set(json.loads(body)) == set(inputs)


@pytest.mark.parametrize("mill", [API], indirect=True, ids=["api"])
@pytest.mark.parametrize("wanted", OUTPUTS)
def test_outputs_can_be_asked_for_as_the_page_about_the_api_says(mill: Mill, wanted: str) -> None:
    status, body = execute_echo(mill, {"inputs": {"echoInput": "hi"}, "outputs": json.loads(wanted)})
    assert (status, body) == ((204, b"") if "reference" in wanted else (200, b'"hi"' if "json" in wanted else b"hi"))


def execute_echo(mill: Mill, body: Any) -> tuple[int, bytes]:
    """The answer to an execution of the process echo."""
    url = f"http://{mill.address}/processes/echo/execution"
    with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=30) as answer:
        return answer.status, answer.read()


def test_no_command_of_the_readme_is_left_out() -> None:
    kinds = [{kind(command) for command in block} for block in map(commands, blocks("console"))]
    assert [kind for kind in kinds if kind != {"client"}] == [{"make", "serve"}, {"serve", "client"}, {"gunicorn"}]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"[`$] ?make (\w+)", README)) <= set(targets)


def test_the_shipped_scene_becomes_a_mask_by_the_commands_that_the_readme_shows() -> None:
    (block,) = (found for found in map(commands, blocks("console")) if set(map(kind, found)) == {"serve", "client"})
    serve, execute = block
    with place() as here, started(f"{serve.line} --port 0", here) as (said, address):
        printed = run([execute.line], Mill(README, here, said, address))
        assert re.fullmatch(pattern(execute.shown), printed), printed
        assert len(list((here.folder / "water").iterdir())) == 4


def test_gunicorn_serves_the_processes_of_the_variable() -> None:
    with place("python") as here:
        line = first("gunicorn").line.replace(ADDRESS, "127.0.0.1:0")
        with started(line, here) as (_, address):
            with urllib.request.urlopen(f"http://{address}/processes/stripes", timeout=30) as answer:
                assert answer.status == 200


@pytest.mark.parametrize(
    "process, demo",
    [
        thorough("water-mask", "demo.py"),
        pytest.param("water-bodies", "demo_cwl.py", marks=[runs_packages, pytest.mark.thorough]),
    ],
)
def test_a_demo_prints_lines_like_those_the_readme_shows(process: str, demo: str) -> None:
    (shown,) = (block for block in blocks("text") if process in block)
    with place() as here:
        code, printed = _on_a_terminal([sys.executable, str(ROOT / "examples" / demo)], here)
    assert code == 0, printed
    forms = iter([_form(line) for line in re.split(r"[\r\n]+", printed)])
    missing = [line for line in shown.splitlines() if line.strip() != "..." and _form(line) not in forms]
    assert not missing, printed


def _form(line: str) -> str:
    """A line without what differs from run to run: ids, numbers, widths, the bar and the words beside it."""
    line = re.sub(" {2,}", "  ", ESCAPES.sub("", line).rstrip())  # columns are as wide as their numbers
    line = re.sub(r"\[[#-]+\] +\d+ %.*", "[bar]", line)
    line = re.sub(JOB + r"|\b[0-9a-f]{8}(?=\.\.\.)", "id", line)
    return re.sub(r"-?\d+(\.\d+)?", "0", line)


def _on_a_terminal(command: list[str], place: Place) -> tuple[int, str]:
    """The exit code and output of a command that thinks people watch it."""
    ours, theirs = pty.openpty()
    environ = {**place.environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "50"}
    process = subprocess.Popen(command, cwd=place.folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    with open(ours, "rb", buffering=0) as screen:
        printed = b"".join(_chunks(screen))
    return process.wait(60), printed.decode()


def _chunks(screen: IO[bytes]) -> Iterator[bytes]:
    """What appears on a terminal, until nobody has it open any more."""
    try:
        while chunk := screen.read(65536):
            yield chunk
    except OSError:  # the last one has closed it
        return
