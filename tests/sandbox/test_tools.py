"""What a tool in the sandbox can rely on."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.conftest import PROXY, Bench  # type: ignore[import-not-found]

from geomill.app.sandbox import NoIsolation, Sandbox


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


@pytest.mark.parametrize("own, threads", [({}, b"2\n"), ({"OMP_NUM_THREADS": "5"}, b"5\n")])
def test_it_begins_a_thread_for_each_of_its_cores_unless_it_says(
    own: dict[str, str], threads: bytes, bench: Bench
) -> None:
    assert bench.run("/bin/sh", "-c", "echo $OMP_NUM_THREADS", environment=own, cores=2).stdout == threads


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


def test_a_network_is_that_of_the_job_with_its_proxy(bench: Bench) -> None:
    code = """
import os, socket
listener = socket.create_server(("127.0.0.1", 0))
try:
    socket.create_connection(listener.getsockname())
    print("its own", os.environ.get("http_proxy"))
except OSError:  # the loopback interface of the job's network is down, in this test
    print("the job's", os.environ.get("http_proxy"), os.environ.get("HTTPS_PROXY"))
"""
    assert bench.python(code).stdout == b"its own None\n"
    assert bench.python(code, network=True).stdout == f"the job's {PROXY} {PROXY}\n".encode()
    said = {"https_proxy": "x", "HTTPS_PROXY": "http://a:1"}
    assert bench.python(code, network=True, environment=said).stdout == f"the job's {PROXY} http://a:1\n".encode()


def test_certificates_that_the_server_trusts_are_trusted_by_tools(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.root / "ca.pem").write_text("ours")
    monkeypatch.setenv("SSL_CERT_FILE", str(bench.root / "ca.pem"))
    code = "import os; print({open(os.environ[x]).read() for x in ('SSL_CERT_FILE', 'CURL_CA_BUNDLE')})"
    assert bench.python(code, network=True).stdout == b"{'ours'}\n"
    assert bench.python(code).returncode == 1


MAPPED = "import module, numpy, sys; print(sys.executable, numpy.arange(3).sum(), module.__file__)"


@pytest.mark.parametrize(
    "argv",
    [("python", "-c", MAPPED), ("/usr/local/bin/python3.9", "-c", MAPPED), ("/bin/sh", "-c", f"python -c '{MAPPED}'")],
    ids=["by name", "by path", "in a shell"],
)
def test_a_mapped_python_has_its_libraries_and_the_tools(argv: tuple[str, ...], bench: Bench) -> None:
    pytest.importorskip("numpy")
    python = Path(sys.executable)
    if bench.user and not all(parent.stat().st_mode & 0o001 for parent in python.resolve().parents):
        pytest.skip("the interpreter of the tests is not for everybody")
    (bench.root / "tools").mkdir()
    (bench.root / "tools/module.py").write_text("")
    (bench.root / "images.toml").write_text(f'["ghcr.io/a/*"]\npython = "{python}"\npythonpath = "tools"\n')
    mapped = Bench(bench.root, bench.user, {"images": bench.root / "images.toml"})
    done = mapped.run(*argv, image="ghcr.io/a/b:1", environment={"PYTHONPATH": "/app"})
    assert done.stdout.decode().split() == [str(python), "3", str(bench.root / "tools/module.py")], done


def own_root(folder: Path) -> Path:
    """A root with a shell and cat, and what they need, of the host's."""
    for program in ("/bin/sh", "/bin/cat", "/usr/bin/id"):
        told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for path in (f"/bin/{os.path.basename(program)}", *re.findall(r"(/\S+) \(0x", told)):
            source = program if path.startswith("/bin/") else path
            target = folder / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for name in ("etc", "home/x", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "etc/mark").write_text("of the image\n")
    return folder


def test_a_root_of_its_own_takes_the_place_of_the_hosts(bench: Bench) -> None:
    own_root(bench.root / "rootfs")
    (bench.root / "images.toml").write_text('[own]\nrootfs = "rootfs"\nenvironment = {A = "1", B = "2"}\n')
    mapped = Bench(bench.root, bench.user, {"images": bench.root / "images.toml"})
    script = "cat /etc/mark; echo $A $B; echo > written; exec id -un"
    done = mapped.run("sh", "-c", script, image="own", environment={"PATH": "/nowhere", "B": "3"})
    assert (done.stdout, done.stderr) == (b"of the image\n1 3\nnobody\n", b"")
    assert not mapped.run("/usr/bin/env", image="own").stdout
    assert (bench.work / "outputs/written").exists()


def podman(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[str]:
    """An image that podman keeps."""
    if shutil.which("podman") is None:
        pytest.skip("there is no podman")
    name = f"localhost/geomill-test-{uuid.uuid4().hex[:12]}:1"
    root = own_root(tmp_path / "image")
    (root / "etc/mark").chmod(0o4600)
    subprocess.run(["tar", "-C", str(root), "-cf", str(tmp_path / "image.tar"), "."], check=True)
    imported = podman("import", "--change", "ENV A=1", "--change", "ENV PATH=/bin", str(tmp_path / "image.tar"), name)
    if imported.returncode:
        pytest.skip(f"podman does not work here: {imported.stderr}")
    yield name
    assert podman("rmi", name).returncode == 0  # no container is left of it


def test_an_image_that_podman_has_is_unpacked_and_run_without_it(stored: str, bench: Bench) -> None:
    sandbox = Sandbox(bench.settings)
    assert sandbox.level(stored, False).warnings == ()
    sandbox.prepare(stored)
    sandbox.prepare(stored)
    done = bench.run("sh", "-c", "cat /etc/mark; echo $A $PATH; exec id -un", image=stored)
    assert done.stdout == b"of the image\n1 /bin\nnobody\n", done
    kept = [path for path in (bench.root / "home/images").iterdir() if not path.name.startswith(".lock-")]
    assert len(kept) == 2  # the image and its name
    assert not [path for path in (bench.root / "home/images").rglob("*") if path.stat().st_mode & 0o7022]


def test_an_image_that_is_nowhere_is_told(bench: Bench) -> None:
    (warning,) = Sandbox(bench.settings).level("localhost/no/such:1", False).warnings
    assert "localhost/no/such:1 is neither mapped nor on this host" in warning
    Sandbox(bench.settings).prepare("localhost/no/such:1")
    assert bench.run("id", "-un", image="localhost/no/such:1").stdout == b"nobody\n"


@pytest.mark.parametrize("name", ["--help", "oci:/etc", "docker-archive:/etc/passwd", "../x", "a b", "", "A\n"])
def test_what_is_no_reference_reaches_no_engine(name: str, bench: Bench) -> None:
    pulling = Bench(bench.root, bench.user, {"pull_images": True})
    with pytest.raises(NoIsolation, match="expected a name such as"):
        Sandbox(pulling.settings).prepare(name)


@pytest.mark.thorough
def test_an_image_that_cannot_be_pulled_says_why(bench: Bench) -> None:
    pulling = Bench(bench.root, bench.user, {"pull_images": True})
    with pytest.raises(NoIsolation, match="localhost:1/no/such:1 cannot be made ready: "):
        Sandbox(pulling.settings).prepare("localhost:1/no/such:1")
