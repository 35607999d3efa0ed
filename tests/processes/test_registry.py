"""The registry is what the folders hold now; no file harms the server, whatever it does while it is loaded."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import geomill.processes
from geomill.processes import describe, packages
from geomill.processes.registry import Broken, Folder, Limits, NoSuchProcess, Registry

HEAD = "import os, sys, time\nfrom geomill.processes import process\n"
SHIPPED = Path(geomill.processes.__file__).parent


def text(name: str, before: str = "", body: str = "return 1") -> str:
    return f'{HEAD}{before}\n@process\ndef {name}(x: int = 1) -> int:\n    """{name.title()}."""\n    {body}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    made.mkdir()
    return made


@pytest.fixture
def registry(tmp_path: Path, folder: Path) -> Registry:
    return Registry([Folder(folder)], tmp_path / "packages", limit=10.0)


def ids(registry: Registry) -> list[str]:
    return [process.id for process in registry.list()]


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def age(folder: Path) -> None:
    """Wait until no file of a folder is so new that it could change unseen."""
    until(lambda: time.time_ns() - max(file.stat().st_ctime_ns for file in folder.iterdir()) > 10**8)


def processes_with(word: str) -> list[int]:
    """The processes on this host that have a word among their arguments."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if word.encode() in Path("/proc", entry, "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry))
        except OSError:
            continue
    return found


def test_a_process_is_all_that_running_it_takes(registry: Registry, folder: Path) -> None:
    file = folder / "one.py"
    file.write_text(text("one").replace("@process", "@process(cpus=2, time_limit=60, memory='1 MB')"))
    process = registry.get("one")
    assert (process.path, process.folder, process.function, process.version) == (file, folder, "one", "1.0.0")
    assert (process.template, process.interpreter, process.mutable) == ("base", None, False)
    assert process.limits == Limits(seconds=60.0, cpus=2.0, memory=10**6, memory_limit=10**6)


def test_contents_are_kept_for_the_owner_alone(tmp_path: Path, registry: Registry, folder: Path) -> None:
    (folder / "one.py").write_text(text("one"))
    process = registry.get("one")
    kept = tmp_path / "packages" / process.package / "package.py"
    assert (kept.read_bytes(), stat.S_IMODE(kept.stat().st_mode)) == ((folder / "one.py").read_bytes(), 0o600)
    assert kept.with_name(process.described).exists()


def test_the_shipped_folder_has_processes_and_none_of_its_machinery_is_broken(tmp_path: Path) -> None:
    registry = Registry([Folder(SHIPPED)], tmp_path / "packages")
    assert registry.get("echo").path == SHIPPED / "echo.py"
    assert not [broken for broken in registry.broken() if "import" not in broken.reason]


@pytest.mark.parametrize("name", ["_one.py", ".one.py", "test_one.py", "one.txt"])
def test_some_names_are_no_processes(registry: Registry, folder: Path, name: str) -> None:
    (folder / name).write_text(text("one"))
    assert (registry.list(), registry.broken()) == ([], [])


def test_a_file_without_processes_is_not_broken(registry: Registry, folder: Path) -> None:
    (folder / "helper.py").write_text("x = 1\n")
    assert (registry.list(), registry.broken()) == ([], [])


def test_processes_that_a_file_imports_belong_to_another(registry: Registry, folder: Path) -> None:
    (folder / "one.py").write_text(text("one"))
    (folder / "two.py").write_text("from one import one\n" + text("two"))
    assert ids(registry) == ["one", "two"]


@pytest.mark.parametrize("line", ["import numpy", "from shapely.geometry import shape", "import os, scipy.ndimage"])
def test_imports_choose_the_template(registry: Registry, folder: Path, line: str) -> None:
    (folder / "one.py").write_text(text("one", before=f"def later():\n    {line}\n"))
    assert registry.get("one").template == "geo"


@pytest.mark.parametrize(
    "content, reason",
    [
        ("x = 1\ndef f(:\n", "SyntaxError: invalid syntax (line 2)"),
        ("\nimport os\nos._exit(1)\n", "ended with exit code 1 while being loaded"),
        ("import os\nos._exit(0)\n", "ended with exit code 0 while being loaded"),
        ("raise SystemExit(3)\n", "ended with exit code 3 while being loaded"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "was ended by SIGSEGV while being loaded"),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found' (line 1)"),
        ("def f():\n    raise KeyError('a')\nf()\n", "KeyError: 'a' (line 2)"),
        (HEAD + "@process\ndef f(x) -> int:\n    ...\n", "TypeError: f: parameter 'x' has no hint (line 3)"),
        (text("a") + text("b").replace("@process", "@process(id='a')"), "TypeError: b: the id 'a' is used twice here"),
    ],
    ids=lambda value: value[:40],
)
def test_a_broken_file_says_why(registry: Registry, folder: Path, content: str, reason: str) -> None:
    (folder / "bad.py").write_text(content)
    (folder / "good.py").write_text(text("good"))
    assert ids(registry) == ["good"]
    assert registry.broken() == [Broken(folder / "bad.py", reason)]


def test_a_file_that_never_ends_loading_is_ended(tmp_path: Path, folder: Path) -> None:
    registry = Registry([Folder(folder)], tmp_path / "packages", limit=1.0)
    (folder / "loop.py").write_text("while True: pass\n")
    assert registry.list() == []
    assert registry.broken() == [Broken(folder / "loop.py", "was still loading after 1 s")]


DAEMONS = """
import os, subprocess, sys
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(600)", {word!r}])
        os._exit(0)
found = 0
while found < 3:
    found = 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += {word!r}.encode() in open("/proc/" + entry + "/cmdline", "rb").read().split(b"\0")
        except OSError:
            pass
"""


@pytest.mark.parametrize("ending", ["", "while True: pass", "os._exit(1)"])
@pytest.mark.parametrize("separate", [True, False], ids=["namespace", "subreaper"])
def test_nothing_is_left_of_a_file_that_leaves_daemons(tmp_path: Path, ending: str, separate: bool) -> None:
    word = f"daemon-of-{os.getpid()}-{len(ending)}-{separate}"
    source = tmp_path / "bad.py"
    source.write_text(DAEMONS.format(word=word) + ending)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import describe; sys.argv.pop(1)\n"
    code += "" if separate else "describe._unshare = lambda libc: False\n"
    code += "describe.isolated(1.0, lambda: describe.execute(sys.argv[1:]))"
    script = str(SHIPPED / "describe.py")
    child = [sys.executable, script, str(source), str(source)]
    subprocess.run([sys.executable, "-c", code, str(SHIPPED), *child], stdout=subprocess.PIPE, timeout=30)
    assert processes_with(word) == []


def test_a_file_may_print_and_fork(registry: Registry, folder: Path) -> None:
    (folder / "loud.py").write_text(text("loud", before="print('{\"error\": 1}'); os.system('echo hello'); os.fork()"))
    assert ids(registry) == ["loud"]


def test_new_edited_and_removed_files_are_seen(registry: Registry, folder: Path) -> None:
    file = folder / "one.py"
    seen = [ids(registry)]
    for content in (text("one"), text("two"), text("six"), "x =\n"):
        file.write_text(content)
        seen.append(ids(registry))
    file.unlink()
    seen.append([str(broken) for broken in registry.broken()])
    assert seen == [[], ["one"], ["two"], ["six"], [], []]


def test_an_edit_that_keeps_time_and_size_is_seen(registry: Registry, folder: Path) -> None:
    file = folder / "one.py"
    file.write_text(text("one"))
    before = file.stat()
    age(folder)
    assert ids(registry) == ["one"]
    file.write_text(text("two"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ids(registry) == ["two"]


def test_a_file_is_looked_at_again_when_its_neighbour_is_mended(registry: Registry, folder: Path) -> None:
    (folder / "one.py").write_text(text("one", before="import _common\n"))
    (folder / "_common.py").write_text("x =\n")
    assert [broken.reason for broken in registry.broken()] == ["SyntaxError: invalid syntax (line 1 of _common.py)"]
    (folder / "_common.py").write_text("x = 1\n")
    assert ids(registry) == ["one"]


def test_a_missing_library_is_looked_for_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry: Registry, folder: Path
) -> None:
    library = tmp_path / "library"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(library), os.environ.get("PYTHONPATH")])))
    monkeypatch.setitem(geomill.processes.registry.AGAIN, "missing", 0.0)
    (folder / "one.py").write_text(text("one", before="import arrives_late\n"))
    assert [broken.path for broken in registry.broken()] == [folder / "one.py"]
    library.mkdir()
    (library / "arrives_late.py").write_text("")
    until(lambda: ids(registry) == ["one"])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths below tmp_path that this process opens."""
    seen: list[str] = []
    active = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active[0] and event in ("open", "subprocess.Popen"):
            seen.append(str(arguments[0]))

    sys.addaudithook(hook)
    yield seen
    active[0] = False


def test_unchanged_folders_are_listed_without_opening_a_file(
    registry: Registry, folder: Path, opened: list[str]
) -> None:
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text(text(name))
    (folder / "bad.py").write_text("x =\n")
    (folder / "processes.toml").write_text("# nothing\n")
    age(folder)
    registry.list()
    opened.clear()
    assert ids(registry) == ["one", "two"]
    assert len(registry.broken()) == 1
    assert opened == []


def test_another_registry_needs_no_second_description(
    tmp_path: Path, registry: Registry, folder: Path, opened: list[str]
) -> None:
    (folder / "one.py").write_text(text("one"))
    first = registry.list()
    opened.clear()
    again = Registry([Folder(folder)], tmp_path / "packages").list()
    assert [vars(each) for each in again] == [vars(each) for each in first]
    assert sys.executable not in opened


def test_two_registries_describe_a_file_once(tmp_path: Path, folder: Path) -> None:
    count = tmp_path / "count"
    (folder / "one.py").write_text(text("one", before=f"open({str(count)!r}, 'a').write('x'); time.sleep(0.3)"))
    code = "import sys; from pathlib import Path; from geomill.processes.registry import *\n"
    code += "print([p.id for p in Registry([Folder(Path(sys.argv[1]))], Path(sys.argv[2])).list()])"
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "packages")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert {child.communicate()[0] for child in children} == {"['one']\n"}
    assert count.read_text() == "x"


def test_a_slow_file_comes_later(monkeypatch: pytest.MonkeyPatch, registry: Registry, folder: Path) -> None:
    monkeypatch.setattr(geomill.processes.registry, "PATIENCE", 0.0)
    (folder / "one.py").write_text(text("one"))
    assert ids(registry) == []
    until(lambda: ids(registry) == ["one"])


def test_a_known_process_does_not_wait_for_a_new_file(registry: Registry, folder: Path) -> None:
    (folder / "one.py").write_text(text("one"))
    registry.get("one")
    (folder / "a_slow.py").write_text("import time\ntime.sleep(8)\n")
    begun = time.monotonic()
    registry.get("one")
    assert time.monotonic() - begun < 1


def test_a_shipped_process_is_looked_for_in_the_file_of_its_name_alone(tmp_path: Path) -> None:
    assert Registry([Folder(SHIPPED)], tmp_path / "packages").get("water-mask").path == SHIPPED / "water_mask.py"
    assert len(list((tmp_path / "packages").glob("*/*.json"))) == 1
    listed = Registry([Folder(SHIPPED)], tmp_path / "packages").list()
    assert {process.id.replace("-", "_") for process in listed} <= {process.path.stem for process in listed}


def test_an_unknown_process_is_an_error(registry: Registry, folder: Path) -> None:
    with pytest.raises(NoSuchProcess, match="nowhere"):
        registry.get("nowhere")


def test_the_first_file_keeps_the_id_though_another_is_called_like_it(registry: Registry, folder: Path) -> None:
    (folder / "aaa.py").write_text(text("one", before="time.sleep(0.5)"))
    (folder / "one.py").write_text(text("one"))
    assert registry.get("one").path == folder / "aaa.py"


def test_the_first_folder_keeps_the_id(tmp_path: Path, folder: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for place in (folder, other):
        (place / "one.py").write_text(text("one"))
    registry = Registry([Folder(other), Folder(folder)], tmp_path / "packages")
    assert [process.folder for process in registry.list()] == [other]
    assert registry.broken() == [Broken(folder / "one.py", f"the id 'one' is already taken by {other / 'one.py'}")]


def test_a_folder_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert Registry([Folder(tmp_path / "later")], tmp_path / "packages").list() == []


def test_an_entry_that_vanishes_is_not_there(registry: Registry, folder: Path) -> None:
    (folder / "gone.py").symlink_to(folder / "nowhere")
    (folder / "folder.py").mkdir()
    assert (registry.list(), registry.broken()) == ([], [])


def test_a_package_of_processes_may_import_relatively(tmp_path: Path) -> None:
    place = tmp_path / "project" / "processes"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("WORD = 'a'\n")
    (place / "_shared.py").write_text("NAME = 'b'\n")
    (place / "one.py").write_text(text("one", before="from . import WORD\nfrom ._shared import NAME\nimport processes"))
    registry = Registry([Folder(place)], tmp_path / "packages")
    assert (ids(registry), registry.broken()) == (["one"], [])


def test_a_file_called_like_a_library_in_use_replaces_nothing(registry: Registry, folder: Path) -> None:
    (folder / "json.py").write_text(text("one", before="import json as other\nother.dumps\n"))
    assert (ids(registry), registry.broken()) == (["one"], [])


# foreign interpreters


def _other_interpreter() -> Path | None:
    """An interpreter of another version that is installed beside this one."""
    here = Path(sys.base_prefix).resolve()
    found = (path / "bin" / "python" for path in sorted(here.parent.glob("3.*")) if path != here)
    return next((path for path in found if path.exists() and path.parts[-3].split(".")[1] in ("12", "13", "9")), None)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    if other := _other_interpreter():
        return other
    venv.create(tmp_path / "venv", symlinks=True)
    return tmp_path / "venv" / "bin" / "python"


@pytest.mark.parametrize("how", ["server", "folder", "file"])
def test_a_foreign_interpreter_is_named_by_server_folder_or_file(
    tmp_path: Path, folder: Path, foreign: Path, how: str
) -> None:
    first = f"# geomill: python = {foreign}\n" if how == "file" else "\n"
    body = f"assert os.path.realpath(sys.executable) == {os.path.realpath(foreign)!r}, sys.executable"
    (folder / "one.py").write_text(first + text("one", before=body))
    if how == "folder":
        (folder / "processes.toml").write_text(f'python = "{foreign}"\n')
    registry = Registry([Folder(folder, str(foreign) if how == "server" else None)], tmp_path / "packages")
    assert (registry.broken(), ids(registry)) == ([], ["one"])
    assert (registry.get("one").interpreter, registry.get("one").template) == (str(foreign), None)


def test_a_foreign_interpreter_sees_the_authoring_modules_only(tmp_path: Path, folder: Path, foreign: Path) -> None:
    (folder / "one.py").write_text(text("one", before="import geomill.jobstore"))
    reasons = [broken.reason for broken in Registry([Folder(folder, str(foreign))], tmp_path / "packages").broken()]
    assert reasons == ["ModuleNotFoundError: No module named 'geomill.jobstore' (line 3)"]


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path, folder: Path) -> None:
    (folder / "one.py").write_text(text("one"))
    registry = Registry([Folder(folder, "/nowhere/python")], tmp_path / "packages")
    assert [broken.reason for broken in registry.broken()] == [
        "/nowhere/python cannot be started: No such file or directory"
    ]


@pytest.mark.parametrize("content", ["python =", "python = 3"])
def test_settings_that_cannot_be_read_are_broken(registry: Registry, folder: Path, content: str) -> None:
    (folder / "one.py").write_text(text("one"))
    (folder / "processes.toml").write_text(content)
    assert [broken.path for broken in registry.broken()] == [folder / "processes.toml"]


def test_secrets_of_the_server_are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, registry: Registry, folder: Path
) -> None:
    monkeypatch.setenv("GEOMILL_TOKEN", "secret")
    (folder / "one.py").write_text(text("one", before="assert 'GEOMILL_TOKEN' not in os.environ"))
    assert ids(registry) == ["one"]


def test_code_is_executed_as_the_file_it_came_from(tmp_path: Path) -> None:
    kept, path = tmp_path / "package.py", tmp_path / "shown" / "one_of_a_kind.py"
    kept.write_text(text("one"))
    module = describe.load_source(kept.read_bytes(), path)
    assert (module.__file__, list(describe.functions(module))) == (str(path), ["one"])
    sys.modules.pop("one_of_a_kind")
    sys.path.remove(str(path.parent))


def test_everything_that_a_foreign_interpreter_imports_is_in_its_library(tmp_path: Path) -> None:
    library = packages.Packages(tmp_path, 10.0).library()
    assert {file.name for file in library.glob("geomill/processes/*")} == set(packages.LIBRARY)


def test_a_file_that_changes_faster_than_it_is_described_is_always_there(registry: Registry, folder: Path) -> None:
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.wait(0.01):
            number += 1
            (folder / "new").write_text(text("one") + f"# {number}\n")
            (folder / "new").replace(folder / "one.py")

    (folder / "one.py").write_text(text("one"))
    thread = threading.Thread(target=change)
    thread.start()
    try:
        assert [registry.get("one").id for _ in range(5)] == ["one"] * 5
    finally:
        stop.set()
        thread.join()


def test_a_link_that_leads_nowhere_is_broken_alone(registry: Registry, folder: Path) -> None:
    (folder / "one.py").write_text(text("one"))
    (folder / "loop.py").symlink_to(folder / "loop.py")
    assert [process.id for process in registry.list()] == ["one"]
    (broken,) = registry.broken()
    assert (broken.path, broken.reason) == (folder / "loop.py", "cannot be read: Too many levels of symbolic links")
