"""What a tool in the sandbox can rely on."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from sandbox.conftest import PYTHON, Bench  # type: ignore[import-not-found]

from geomill.app.sandbox import Sandbox


def test_it_reads_its_inputs_and_links_among_them(bench: Bench) -> None:
    (bench.work / "stage").mkdir()
    (bench.work / "input.txt").write_text("hello")
    (bench.work / "stage/link").symlink_to(bench.work / "input.txt")
    done = bench.run("cat", str(Bench(bench.root, bench.user).work / "stage/link"))
    assert done.stdout == b"hello", done


def test_what_it_writes_belongs_to_the_server(bench: Bench) -> None:
    assert bench.run("/bin/sh", "-c", "echo hello > ergebnis-ü.txt; mkdir d; echo > d/x").returncode == 0
    written = bench.work / "outputs/ergebnis-ü.txt"
    assert written.read_text() == "hello\n"
    assert {path.lstat().st_uid for path in (bench.work / "outputs").rglob("*")} == {bench.user}
    assert stat.S_IMODE(written.stat().st_mode) & 0o400


@pytest.mark.parametrize("code, status", [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_its_exit_code_is_passed_on(code: str, status: int, bench: Bench) -> None:
    assert bench.run("/bin/sh", "-c", code).returncode == status


def test_a_command_that_is_not_there_is_127(bench: Bench) -> None:
    done = bench.run("no-such-command")
    assert done.returncode == 127 and b"no-such-command" in done.stderr


def test_its_streams_are_passed_on(bench: Bench) -> None:
    done = bench.run("/bin/sh", "-c", "cat; echo error >&2", stdin=b"in \xff\n")
    assert (done.stdout, done.stderr) == (b"in \xff\n", b"error\n")


def test_its_arguments_are_passed_on(bench: Bench) -> None:
    argv = ["", "a b", "$x", "-c", "ä", "--", "x" * 100_000, *map(str, range(5000))]
    done = bench.python("import sys; print(len(sys.argv)); print('\\0'.join(sys.argv[1:]), end='')", *argv)
    count, _, rest = done.stdout.decode().partition("\n")
    assert count == str(len(argv) + 1) and rest.split("\0") == argv


def test_it_starts_where_it_writes_with_an_environment_of_its_own(bench: Bench) -> None:
    code = "import os; print(os.getcwd(), *map(os.environ.get, ('HOME', 'TMPDIR', 'MINE', 'PYTEST_VERSION')))"
    done = bench.python(code, environment={"MINE": "a=b"})
    outputs, tmp = bench.work / "outputs", bench.work / "tmp"
    assert done.stdout.decode().split() == [str(outputs), str(outputs), str(tmp), "a=b", "None"]


def test_it_cannot_make_the_sandbox_load_a_library(bench: Bench) -> None:
    done = bench.run("/bin/sh", "-c", "echo $LD_PRELOAD", environment={"LD_PRELOAD": "/nowhere.so"})
    assert done.stdout == b"/nowhere.so\n"
    _, outside = Sandbox(bench.settings).command(bench.tool("true", environment={"LD_PRELOAD": "/nowhere.so"}))
    assert outside == {}


def test_scratch_files_have_a_place_in_its_job(bench: Bench) -> None:
    assert bench.run("/bin/sh", "-c", 'echo > "$TMPDIR/a"; echo > /tmp/b').returncode == 0
    assert {"a", "b"} <= set(os.listdir(bench.work / "tmp"))


def test_processes_of_its_own_can_share_memory(bench: Bench) -> None:
    code = "from multiprocessing import Pool\nwith Pool(2) as pool: print(pool.map(abs, [-1, -2]))"
    done = bench.python(code)
    assert done.stdout == b"[1, 2]\n", done


def test_it_knows_its_user(bench: Bench) -> None:
    assert bench.run("id", "-un").stdout == b"nobody\n"


def test_a_network_is_there_when_it_is_asked_for(bench: Bench) -> None:
    code = "import socket; print([name for _, name in socket.if_nameindex()] == ['lo'])"
    assert bench.python(code).stdout == b"True\n"
    assert bench.python(code, network=True).stdout == b"False\n" or len(os.listdir("/sys/class/net")) == 1


MAPPED = "import module, numpy, sys; print(sys.executable, numpy.arange(3).sum(), module.__file__)"


@pytest.mark.parametrize(
    "argv",
    [("python", "-c", MAPPED), ("/usr/local/bin/python3.9", "-c", MAPPED), ("/bin/sh", "-c", f"python -c '{MAPPED}'")],
    ids=["by name", "by path", "in a shell"],
)
def test_a_mapped_python_has_its_libraries_and_the_tools(argv: tuple[str, ...], bench: Bench) -> None:
    pytest.importorskip("numpy")
    python = Path(sys.executable)
    if bench.user and not os.geteuid() and str(python.resolve()).startswith("/root/"):
        pytest.skip("the interpreter of the tests is root's alone")
    (bench.root / "tools").mkdir()
    (bench.root / "tools/module.py").write_text("")
    (bench.root / "images.toml").write_text(f'["ghcr.io/a/*"]\npython = "{python}"\npythonpath = "tools"\n')
    mapped = Bench(bench.root, bench.user, {"images": bench.root / "images.toml"})
    done = mapped.run(*argv, image="ghcr.io/a/b:1", environment={"PYTHONPATH": "/app"})
    assert done.stdout.decode().split() == [str(python), "3", str(bench.root / "tools/module.py")], done


def test_a_root_of_its_own_takes_the_place_of_the_hosts(bench: Bench) -> None:
    rootfs = bench.root / "rootfs"
    for folder in ("bin", "etc", "home/x", "tmp"):
        (rootfs / folder).mkdir(parents=True)
    (rootfs / "etc/mark").write_text("of the image")
    for name in ("usr", "lib", "lib64"):
        (rootfs / name).symlink_to(f"{bench.root}/host/{name}")
    (rootfs / "bin/sh").symlink_to("/usr/bin/dash")
    (bench.root / "images.toml").write_text('[own]\nrootfs = "rootfs"\n')
    mapped = Bench(bench.root, bench.user, {"images": bench.root / "images.toml"})
    command, _ = Sandbox(mapped.settings).command(mapped.tool(PYTHON, image="own"))
    assert "/etc/mark" in command and "/etc/alternatives" not in command
