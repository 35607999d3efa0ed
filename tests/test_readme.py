"""The README is true: its commands are run as they stand, in a copy of its folder with a home of their own.

So are those of the pages on the API, on writing processes and on deploying packages.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest
from support import leaks, mills
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine.client import Engine, open_store
from geomill.app.sandbox import bubblewrap

ROOT = Path(__file__).parents[1]
README, API, WRITING, OPERATING, DEPLOYING = (
    (ROOT / name).read_text()
    for name in (
        "README.md",
        "docs/api.md",
        "docs/writing-processes.md",
        "docs/operating.md",
        "docs/deploying-packages.md",
    )
)
ADDRESS, HOME = "127.0.0.1:8080", "/home/ada"  # as the README has them
SECONDS = 30.0  # for a job to come as far as a page shows it
JOB = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
WILD = {
    JOB: r"([0-9a-f-]{36})",
    r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    r"\.\.\.": r".*",
}
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Command(NamedTuple):
    """A line after "$ ", with what the README shows below it."""

    line: str
    shown: str


def blocks(language: str, page: str = README) -> list[str]:
    """The contents of a page's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[Command]:
    """The commands of a console block; one goes on over lines while a quote is open."""
    found: list[Command] = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = next(n for n in range(1, len(lines) + 1) if _is_whole("\n".join(lines[:n])))
        found.append(Command("\n".join(lines[:count]), "\n".join(lines[count:])))
    return found


def _is_whole(line: str) -> bool:
    try:
        shlex.split(line)
    except ValueError:  # no closing quotation
        return False
    return True


def kind(command: Command) -> str:
    """Who runs a command here: "make" is left to people and .ci/run, "serve" and "gunicorn" go on in the background."""
    for word in ("make", "serve", "gunicorn"):
        if re.search(rf"(^|[ /]){word} ", command.line):
            return word
    return "client"


def pattern(shown: str) -> str:
    """What an output has to match: ids, times and "..." are open, a line of "..." alone is any number of lines."""
    lines = [r"(?:.*\n)*?" if line == "..." else _line(line) + r"\n" for line in shown.splitlines()]
    return "".join(lines)


def _line(line: str) -> str:
    parts = re.split("(" + "|".join(WILD) + ")", line)
    return "".join(
        next((regex for wild, regex in WILD.items() if re.fullmatch(wild, part)), re.escape(part)) for part in parts
    )


def first(word: str) -> Command:
    """The README's first command of a kind."""
    return next(command for block in blocks("console") for command in commands(block) if kind(command) == word)


class Place(NamedTuple):
    """A copy of the folder a page speaks of: what is needed of it, and the files that the page tells to write."""

    folder: Path
    environ: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """Those of a server that is started there."""
        return Settings.load(self.environ)


@contextmanager
def place(*languages: str, page: str = README) -> Iterator[Place]:
    """Such a copy with the files that a page shows in these languages, and names in their first line."""
    root = Path(tempfile.mkdtemp(prefix="readme-", dir="/tmp")).resolve()  # sockets need a short path
    folder = root / "geomill"
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)  # whatever these tests run in
    for name in ("wsgi.py", "gunicorn.conf.py"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("virginia", "water-bodies"):
        shutil.copytree(ROOT / "examples" / name, folder / "examples" / name)
    for content in (content for language in languages for content in blocks(language, page)):
        if name := re.match(r"# ([\w/-]+\.\w+)\n", content):
            (folder / name[1]).parent.mkdir(exist_ok=True)
            (folder / name[1]).write_text(content)
    unwanted = {"XDG_DATA_HOME", "PYTHONPATH"}
    environ = {name: value for name, value in mills.environ({}).items() if name not in unwanted}
    here = Place(folder, environ | {"HOME": str(root), "GEOMILL_RUNTIME_DIR": str(root / "run")})
    mills.furnish(here.settings.home)
    try:
        yield here
    finally:
        shutil.rmtree(root)


@contextmanager
def started(line: str, place: Place) -> Iterator[tuple[str, str]]:
    """A server, started by a command on a terminal: its first line with an address in it, and that as host:port."""
    ours, theirs = pty.openpty()
    server = subprocess.Popen(
        ["bash", "-c", f"exec env {line}"], cwd=place.folder, env=place.environ, stdout=theirs, stderr=theirs, text=True
    )
    os.close(theirs)
    screen = open(ours)
    try:
        said = next((line for line in screen if "http://" in line), "")
        address = re.search(r"http://([\w.:]+)", said)
        assert address, f"{line} did not start"
        engine = Engine(place.settings, open_store(place.settings))
        leaks.share(server.pid)
        leaks.share(until(lambda: engine.ask({"op": "hello"}, 2.0))["pid"])
        yield said, address[1]
    finally:
        mills.stop(server, place.settings)
        screen.close()


class Mill(NamedTuple):
    """The README's server, on a free port. said: its first line; address: host:port."""

    page: str
    place: Place
    said: str
    address: str


@pytest.fixture(scope="module")
def mill(request: pytest.FixtureRequest) -> Iterator[Mill]:
    """Such a server where somebody stands who has written the processes of a page."""
    with place("python", "yaml", page=request.param) as here:
        allow = f"GEOMILL_ALLOW=file://{here.folder}/examples/virginia/"
        with started(f"{allow} {first('serve').line} --port 0", here) as (said, address):
            yield Mill(request.param, here, said, address)


def run(lines: Sequence[str], mill: Mill) -> str:
    """What commands print, one after the other in one shell."""
    done = subprocess.run(
        ["bash", "-c", "\n".join(["exec 2>&1", *lines]).replace(ADDRESS, mill.address)],
        cwd=mill.place.folder, env=mill.place.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        timeout=60,
    )  # fmt: skip
    printed = done.stdout.replace("\r\n", "\n").strip("\n")
    return f"{printed}\n" if printed else ""


def only_reads(command: Command) -> bool:
    """Whether a command may be given again, until a job has come as far as the page shows it."""
    return command.line.startswith("curl ") and not re.search(r" -(d|X) ", command.line)


@pytest.mark.parametrize("mill", [README], indirect=True, ids=["readme"])
def test_the_server_says_what_the_readme_shows(mill: Mill) -> None:
    shown = first("serve").shown.replace(ADDRESS, mill.address).replace(HOME, mill.place.environ["HOME"])
    assert re.fullmatch(pattern(shown), mill.said)


def clients(page: str) -> list[list[Command]]:
    """The console blocks of a page in which a server is asked something."""
    found = map(commands, blocks("console", page))
    return [block for block in found if {kind(command) for command in block} == {"client"}]


runs_packages = pytest.mark.skipif(
    bool(bubblewrap.closed()) or not find_spec("cwltool"), reason="this host runs no packages"
)
RUN = [
    pytest.param(README, id="readme", marks=runs_packages),
    pytest.param(WRITING, id="writing"),
    pytest.param(API, id="api"),
    pytest.param(DEPLOYING, id="deploying", marks=runs_packages),
]


@pytest.mark.parametrize("mill", RUN, indirect=True)
def test_a_command_prints_what_the_page_shows(mill: Mill) -> None:
    ids: dict[str, str] = {}  # of the page's jobs: what they are here
    for block in clients(mill.page):
        exports: list[str] = []
        for command in block:
            if command.line.startswith("export "):
                exports.append(command.line)
            line = re.sub(JOB, lambda found: ids.get(found[0], found[0]), command.line)
            expected = re.compile(pattern(command.shown.replace(ADDRESS, mill.address)))
            deadline = time.monotonic() + (SECONDS if only_reads(command) else 0)
            while not (found := expected.fullmatch(printed := run([*exports, line], mill))):
                assert time.monotonic() < deadline, f"{line}:\n{printed}"
                time.sleep(0.1)
            for theirs, ours in zip(re.findall(JOB, command.shown), found.groups(), strict=True):
                assert ids.setdefault(theirs, ours) == ours, f"{line}: another job than before"


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
    "process, demo", [("water-mask", "demo.py"), pytest.param("water-bodies", "demo_cwl.py", marks=runs_packages)]
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
