"""What a tool in the sandbox cannot reach, tried from inside, as root and as an ordinary user."""

from __future__ import annotations

import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.conftest import Bench  # type: ignore[import-not-found]

from geomill.app.egress.way_out import WayOut
from geomill.app.sandbox import NoIsolation, Sandbox

MARK = uuid.uuid4().hex
BEGIN = """
import ctypes, glob, json, os, signal, socket, subprocess, sys
home, runtime, work, port, pid, mark = sys.argv[1:7]
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
def connect(kind, address):
    with socket.socket(kind) as one:
        one.connect(address)
def seen(pattern):
    for path in glob.glob(pattern):
        try:
            text = open(path, "rb").read().replace(b"\\0", b" ")
        except OSError:
            continue
        if mark[::-1].encode() in text:
            return path
    raise LookupError
def writable(path):
    inside = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    found = [path for path in inside if not path.split("/")[2].isdigit() and os.access(path, os.W_OK)]
    found = [path for path in found if os.stat(path).st_rdev != os.stat("/dev/null").st_rdev]
    if not [path for path in found if path.split("/")[2] not in ("self", "thread-self")]:
        raise PermissionError
"""
OUT_OF_REACH = {
    "another job": "open(f'{home}/public/jobs/0123456/other/request.json')",
    "the request of its own job": "open(f'{work}/../request.json')",
    "the home": "os.listdir(f'{home}/public/jobs/0123456').index('other')",
    "the home of a user": "os.listdir(os.environ['THEIRS'])",
    "the settings of the system": "open('/etc/shadow')",
    "a socket of the server": "connect(socket.AF_UNIX, f'{runtime}/socket')",
    "an abstract socket": "connect(socket.AF_UNIX, '\\0' + mark)",
    "a port on loopback": "connect(socket.AF_INET, ('127.0.0.1', int(port)))",
    "a process of others": "seen('/proc/[0-9]*/cmdline')",
    "the environment of others": "seen('/proc/[0-9]*/environ')",
    "a signal": "os.kill(int(pid), 0)",
    "a trace": "call('ptrace', 16, int(pid), 0, 0)",
    "its work folder, to write": "open(f'{work}/x', 'w')",
    "its inputs, to change": "open(f'{work}/input.txt', 'a')",
    "its inputs, to remove": "os.unlink(f'{work}/input.txt')",
    "the root, to write": "open('/x', 'w')",
    "the system, to write": "open('/usr/x', 'w')",
    "/etc, to write": "open('/etc/x', 'w')",
    "/dev, to write": "open('/dev/x', 'w')",
    "the kernel's settings": "os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)",
    "whatever else is in /proc": "writable('/proc')",
    "the disk": "next(path for path in glob.glob('/dev/[svn][dv]*'))",
    "the rights of root": "os.setuid(0)",
    "the rights of a setuid program": "'NoNewPrivs:\\t0' in open('/proc/self/status').read() or 1 / 0",
    "a capability": "'CapEff:\\t0000000000000000' not in open('/proc/self/status').read() or 1 / 0",
    "a mount": "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
    "an unmount": "call('umount2', b'/proc/sys', 2)",
    "a writable root again": "call('mount', b'none', b'/', None, 0x20, None)",
    "a namespace of users": "call('unshare', 0x10000000)",
    "a terminal": "open('/dev/tty')",
}


@pytest.fixture
def world(bench: Bench) -> Iterator[tuple[Bench, list[str], dict[str, str]]]:
    """What lies around the tool: another job, a server that listens, somebody's process."""
    runtime, theirs = bench.root / "run", bench.root / "theirs"
    for folder in (runtime, theirs, bench.work.parents[1] / "other"):
        folder.mkdir()
    for path in (bench.work.parents[1] / "other/request.json", bench.work.parent / "request.json"):
        path.write_text("{}")
    (bench.work / "input.txt").write_text("hello")
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_UNIX) as abstract:
        tcp.bind(("127.0.0.1", 0))
        unix.bind(str(runtime / "socket"))
        abstract.bind("\0" + MARK)
        for each in (tcp, unix, abstract):
            each.listen()
        bench = Bench(bench.root, bench.user, bench.more)  # everything belongs to its user
        command = ["/bin/sh", "-c", f"read x #{MARK[::-1]}"]
        stranger = subprocess.Popen(command, env={"X": MARK[::-1]}, stdin=subprocess.PIPE, **bench.rights)
        argv = [str(bench.root / "home"), str(runtime), str(bench.work), str(tcp.getsockname()[1])]
        try:
            yield bench, [*argv, str(stranger.pid), MARK], {"THEIRS": str(theirs)}
            assert stranger.poll() is None
        finally:
            stranger.communicate(b"\n")


@pytest.mark.parametrize("what", OUT_OF_REACH)
def test_it_is_out_of_reach(what: str, world: tuple[Bench, list[str], dict[str, str]]) -> None:
    bench, argv, environment = world
    done = bench.python(BEGIN + OUT_OF_REACH[what], *argv, environment=environment)
    last = done.stderr.decode().splitlines()[-1:]
    assert done.returncode == 1 and not last[0].startswith(("NameError", "SyntaxError", "TypeError")), done


def test_what_is_out_of_reach_would_be_reached_without_the_sandbox(
    world: tuple[Bench, list[str], dict[str, str]],
) -> None:
    bench, argv, environment = world
    bench = Bench(bench.root, bench.user, {"isolation": "none"})
    for what in ("another job", "a socket of the server", "an abstract socket", "a port on loopback", "a signal",
                 "a process of others", "the environment of others", "its work folder, to write"):  # fmt: skip
        done = bench.python(BEGIN + OUT_OF_REACH[what], *argv, environment=environment)
        assert done.returncode == 0, (what, done.stderr)


def test_signals_to_everybody_reach_the_tool_alone(world: tuple[Bench, list[str], dict[str, str]]) -> None:
    bench, _, _ = world
    bench.python("import os; os.kill(-1, 9)")  # the fixture looks after the stranger


def test_a_fork_bomb_goes_out(bench: Bench) -> None:
    if bench.user == 0:
        pytest.skip("the kernel counts no processes of root; his jobs are limited as a whole")
    code = "import os, signal\nn = 0\nwhile n < 300:\n    if not os.fork(): signal.pause()\n    n += 1\n"
    done = Bench(bench.root, bench.user, {"max_processes": 40}).python(code)
    assert done.returncode == 1 and b"BlockingIOError" in done.stderr, done


def test_nothing_that_a_tool_left_in_the_background_is_there_when_it_has_ended(bench: Bench) -> None:
    code = "import os\nif os.fork(): os._exit(3)\nos.setsid()\nwhile True: open('x', 'w').close()  # "
    assert bench.python(code + MARK).returncode == 3
    assert MARK.encode() not in b"".join(read(path) for path in Path("/proc").glob("[0-9]*/cmdline"))


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def test_a_file_is_no_larger_than_the_operator_allows(bench: Bench) -> None:
    few = Bench(bench.root, bench.user, {"max_output": 4096})
    done = few.python("with open('x', 'wb') as file: file.write(bytes(5000))")
    assert done.returncode == 1 and b"File too large" in done.stderr
    assert (few.work / "outputs/x").stat().st_size == 4096


def test_a_process_has_no_more_memory_than_its_job(bench: Bench) -> None:
    code = "import sys; len(bytes(int(sys.argv[1])))"
    assert bench.python(code, "200000000", memory=100_000_000).returncode == 1
    assert bench.python(code, "20000000", memory=100_000_000).returncode == 0


def test_a_home_in_what_is_shown_of_the_host_is_not_shown(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "images.toml").write_text('[mine]\npythonpath = "."\n')
    (tmp_path / "module.py").write_text("")
    (tmp_path / "home/secret").write_text("")
    mapped = Bench(bench.root, bench.user, {"images": tmp_path / "images.toml"})
    code = f"import os, module; print(os.listdir({str(tmp_path / 'home')!r}))"
    done = mapped.python(code, image="mine")
    assert done.stdout == b"['public']\n", done


@pytest.mark.parametrize("what", ["a port on loopback", "an abstract socket", "a socket of the server"])
def test_a_network_is_that_of_the_job_in_which_nobody_else_listens(
    what: str, world: tuple[Bench, list[str], dict[str, str]]
) -> None:
    bench, argv, environment = world
    done = bench.python(BEGIN + OUT_OF_REACH[what], *argv, environment=environment, network=True)
    assert done.returncode == 1 and b"Error: " in done.stderr, done


@pytest.mark.parametrize("way_out", [None, WayOut("http://127.0.0.1:3128", apart=False)])
def test_a_tool_that_asks_for_a_network_gets_none_where_it_would_be_the_hosts(
    bench: Bench, way_out: WayOut | None
) -> None:
    sandbox = Sandbox(bench.settings, way_out)
    with pytest.raises(NoIsolation, match="cannot be kept apart from that of this host"):
        sandbox.command(bench.tool("true", network=True))
    sandbox.command(bench.tool("true"))
