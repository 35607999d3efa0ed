"""A page of the documentation: its commands are run as they stand, in a copy of its folder with a home of their own."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from support import leaks, mills
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine.client import Engine, open_store

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ADDRESS, HOME = "127.0.0.1:8080", "/home/ada"  # as the README has them
SECONDS = 60.0  # for a job to come as far as a page shows it
JOB = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
WILD = {
    JOB: r"([0-9a-f-]{36})",
    r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    r"\.\.\.": r".*",
}


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
    for word in ("make", "serve", "gunicorn", "http.server"):
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


def clients(page: str) -> list[list[Command]]:
    """The console blocks of a page in which a server is asked something."""
    found = map(commands, blocks("console", page))
    return [block for block in found if {kind(command) for command in block} == {"client"}]


def check(mill: Mill) -> None:
    """Give the commands of the page that ask a server something: they have to print what it shows."""
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
