"""Servers whose jobs do what jobs do, and worse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mills import WITHOUT_NAMESPACES, Mill, furnish, serving

from geomill.app.config import Settings
from geomill.app.engine import isolation

PROCESSES = '''
import io, os, resource, signal, socket, subprocess, sys, time
from pathlib import Path
from typing import Annotated
from geomill.processes import File, Progress, process

IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def stay(marker, ready):
    """Never end by oneself, whoever asks."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    os.write(ready, b".")
    while True:
        time.sleep(60)


def fork(run, *arguments):
    if os.fork() == 0:
        run(*arguments)
        os._exit(0)


def leave(marker, ready):
    os.setsid()
    os.chdir("/")
    fork(stay, marker, ready)


def hop(marker, ready):
    """Be another process every millisecond."""
    os.setsid()
    os.write(ready, b".")
    while True:
        if os.fork():
            os._exit(0)
        time.sleep(0.001)


def freeze(marker, ready):
    os.write(ready, b".")
    os.kill(os.getpid(), signal.SIGSTOP)


@process
def hostile(progress: Progress) -> int:
    """Fork in every way there is, ignore every wish, stay for ever."""
    marker = open("marker", "w")
    reading, ready = os.pipe()
    for run in (stay, leave, hop, freeze):
        fork(run, marker, ready)
    subprocess.Popen(["sh", "-c", "trap '' TERM; exec 3>marker; while true; do sleep 1; done"], start_new_session=True)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    heard = 0
    while heard < 4:
        heard += len(os.read(reading, 4))
    progress(50, "ready")
    while True:
        time.sleep(60)


@process
def nap(seconds: float = 0.05) -> int:
    """Sleep, and be done."""
    time.sleep(seconds)
    return 1


@process
def speak(how: str) -> int:
    """Print half a line, and put another stream in the place of the one that has it."""
    print("one", end="")
    if how == "replaced":
        sys.stdout = io.StringIO()
        print("lost")
    elif how == "detached":
        bytes_ = sys.stdout.detach()
        bytes_.write(b" two")
    else:
        sys.stdout = None
        print("three", end="", file=sys.stderr)
    return 1


@process
def hold(progress: Progress) -> int:
    """Say so, and wait for longer than any test."""
    progress(10, "holding")
    time.sleep(600)
    return 0


@process(max_running=1)
def one_at_a_time(progress: Progress) -> int:
    """As hold, but alone."""
    return hold(progress)


@process
def leave_something() -> int:
    """Be done, and leave a child behind."""
    marker = open("marker", "w")
    fork(leave, marker, 1)
    return 1


@process(time_limit=0.3)
def endless() -> int:
    """Go on for ever."""
    while True:
        time.sleep(0.01)


@process
def fall(number: int) -> int:
    """Be ended by a signal."""
    os.kill(os.getpid(), number)
    time.sleep(60)
    return 0


@process
def leave_with(code: int) -> int:
    """End without results."""
    os._exit(code)


@process
def nest() -> list:
    """Give what nobody can read."""
    value = []
    for _ in range(100):
        value = [value]
    return value


@process
def look() -> dict:
    """Tell what a job sees of the world."""
    return {
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "descriptors": {name: target(name) for name in os.listdir("/proc/self/fd")},
        "oom": int(Path("/proc/self/oom_score_adj").read_text()),
        "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        "pid": os.getpid(),
        "user": os.getuid(),
        "groups": os.getgroups(),
        "umask": os.umask(0o077),
        "written": write_to(".."),
        "may_gain": "NoNewPrivs:\\t0" in Path("/proc/self/status").read_text(),
    }


def target(name):
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""


def write_to(folder):
    try:
        Path(folder, "probe").touch()
        Path(folder, "probe").unlink()
        return True
    except OSError:
        return False


@process
def babble(progress: Progress) -> int:
    """Say more than anybody can hear, for ever."""
    progress(1, "babbling")
    channel = max(int(name) for name in os.listdir("/proc/self/fd") if target(name).startswith("pipe:"))
    while True:
        os.write(channel, b'{"progress": 2, "message": "more"}\\n' * 1000)


@process
def give(names: list[str]) -> list[Annotated[Path, File("A text", "text/plain")]]:
    """Write files of these names, escaped, and give them."""
    raw = [name.encode().decode("unicode_escape").encode("latin-1") for name in names]
    paths = [Path(str(number), os.fsdecode(name)) for number, name in enumerate(raw)]
    for path in paths:
        path.parent.mkdir()
        if b"\\0" not in os.fsencode(path):
            path.write_text("hello")
    return paths


@process
def moan(text: str, progress: Progress) -> str:
    """Say something, escaped, in every way there is."""
    raw = text.encode().decode("unicode_escape")
    progress(50, raw)
    raise ValueError(raw)


@process
def boast(size: int) -> int:
    """Say one thing that is very long, and go on."""
    channel = max(int(name) for name in os.listdir("/proc/self/fd") if target(name).startswith("pipe:"))
    os.write(channel, b'{"progress": 5, "message": "' + b"x" * size + b'"}\\n')
    time.sleep(60)
    return 1


@process
def pretend() -> int:
    """Fail, with a trace of finished steps that there were not."""
    Path(".steps").write_text("a")
    raise ValueError("no")


@process
def lie(words: str) -> int:
    """Say something to the supervisor that nobody should."""
    channel = max(int(name) for name in os.listdir("/proc/self/fd") if target(name).startswith("pipe:"))
    os.write(channel, words.encode() + b"\\n")
    return 1
'''

DRAW = '''
import numpy
import random
from geomill.processes import process

@process
def draw() -> list[float]:
    """Draw random numbers."""
    return [numpy.random.random(), random.random()]
'''


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The processes of these tests."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "wild.py").write_text(PROCESSES)
    (folder / "draw.py").write_text(DRAW)
    return folder


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    """A home of its own for one test, where the processes are known."""
    furnish(tmp_path / "home", folder)
    return Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(folder,))


@pytest.fixture(scope="package", params=["with namespaces", "without"])
def mill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Mill]:
    """A server that several tests use, on a host that allows PID namespaces, and on one that does not."""
    root = tmp_path_factory.mktemp("mill")
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(folder,))
    allowed = isolation.namespaces_allowed()
    if request.param == "with namespaces" and not allowed:
        pytest.skip("this host allows no PID namespaces")
    prefix = WITHOUT_NAMESPACES if request.param == "without" and allowed else ()
    with serving(settings, shared=True, prefix=prefix, grace="0.1", max_running="8") as mill:
        yield mill
