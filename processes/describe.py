"""Describe the processes of one file, in a process of its own: importing somebody's file may do anything, or never end.

    python describe.py PACKAGE PATH                          prints one line of JSON
    python describe.py --isolated SECONDS COMMAND...         runs such a command, of which nothing is left afterwards

PACKAGE holds the code, PATH is where it was read: what the code sees as its file and imports its neighbours from.
Standard library only; the first form runs on any interpreter from Python 3.9 on.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import importlib
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

GEO = {"geopandas", "numpy", "pandas", "pyproj", "rasterio", "scipy", "shapely", "skimage", "xarray"}
NEWPID, NEWNS, NEWUSER = 0x20000000, 0x20000, 0x10000000
MS_REC_PRIVATE, MS_NOSUID_NODEV_NOEXEC = 0x4000 | 0x40000, 2 | 4 | 8
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SCARCE = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
ENDINGS = {signal.SIGCHLD, signal.SIGTERM}
PATIENCE = 5.0  # seconds to kill what a file left behind


def load_source(source: bytes, path: Path, code: CodeType | None = None) -> ModuleType:
    """Execute code as the module that `path` is, in its package when it stands in one.

    Its folder comes first on sys.path, so that it finds its neighbours. code: the source, where it is compiled already.
    Raises whatever the code raises.
    """
    folder, names = path.parent, [path.stem]
    if folder == Path(__file__).parent:
        names.insert(0, __package__ or "geomill.processes")
    else:
        root = folder
        while (root / "__init__.py").exists() and root != root.parent:
            names.insert(0, root.name)
            root = root.parent
        sys.path[:0] = [str(place) for place in dict.fromkeys((folder, root)) if str(place) not in sys.path]
    if len(names) > 1:
        importlib.import_module(".".join(names[:-1]))
    elif names[0] in sys.modules:  # a file may be called like a library that is in use
        names = [f"_{names[0]}_process"]
    spec = importlib.util.spec_from_file_location(".".join(names), path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        exec(code or compile(source, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102  the operator's
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    return module


def functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The processes that a module defines (those it imports belong to another file), by the name of the function."""
    from geomill.processes import MARK

    found: dict[str, Callable[..., Any]] = {}
    for name, value in vars(module).items():
        if MARK in (getattr(value, "__dict__", None) or ()) and getattr(value, "__module__", "") == module.__name__:
            if not any(value is other for other in found.values()):
                found[name] = value
    return found


def template(source: bytes) -> str:
    """The template that suits a file: "geo" when it imports one of the libraries that are loaded there."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module.partition(".")[0])
    return "geo" if imported & GEO else "base"


def described(package: Path, path: Path) -> list[dict[str, Any]]:
    """The processes of a file, described. Raises whatever loading it raises, and TypeError from `describe`."""
    from geomill.processes.description import describe

    source = package.read_bytes()
    module = load_source(source, path)
    suited = template(source)
    found: list[dict[str, Any]] = []
    for name, function in functions(module).items():
        try:
            made: dict[str, Any] = {**describe(function), "function": name}
        except TypeError as error:
            line = function.__code__.co_firstlineno if hasattr(function, "__code__") else 0
            raise TypeError(f"{error} (line {line})") from None
        made["template"] = made["template"] or suited
        if any(made["description"]["id"] == other["description"]["id"] for other in found):
            raise TypeError(f"{name}: the id {made['description']['id']!r} is used twice here")
        found.append(made)
    return found


def reason(error: BaseException, path: Path) -> str:
    """An exception in one line, with the line of the file that it comes from."""
    text = " ".join(str(error).split())[:500]
    line: int | str | None = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        text = str(error.msg)
        line = error.lineno if error.filename == str(path) else f"{error.lineno} of {Path(str(error.filename)).name}"
    return f"{type(error).__name__}{': ' if text else ''}{text}{f' (line {line})' if line else ''}"


def is_scarce(error: BaseException) -> bool:
    """Whether the host has no more of something that comes back: processes, threads, memory, descriptors."""
    number = error.errno if isinstance(error, OSError) else None
    return number in SCARCE or isinstance(error, MemoryError) or str(error) == "can't start new thread"


def main(package: Path, path: Path) -> NoReturn:
    """Print the description of a file as one line of JSON, and nothing of what the file prints."""
    process, out = os.getpid(), os.dup(1)
    os.dup2(2, 1)
    sys.path[:] = [place for place in sys.path if place != os.path.dirname(os.path.abspath(__file__))]
    answer: dict[str, Any]
    try:
        answer = {"processes": described(package, path)}
        line = json.dumps(answer, allow_nan=False)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        line = json.dumps({"error": f"ended with exit code {code} while being loaded"})
    except BaseException as error:
        why = {"missing": isinstance(error, ImportError), "scarce": int(is_scarce(error))}
        line = json.dumps({"error": reason(error, path), **why})
    if os.getpid() == process:  # a file may fork, and both come back
        _print(out, line)
    os._exit(0)


def isolated(limit: float, run: Callable[[], NoReturn]) -> None:
    """Run something for at most `limit` seconds, print how it ended if it ended badly, and leave no process of it.

    In a PID namespace where that is allowed, which ends with it; else as the parent of all orphans.
    """
    import ctypes

    deadline = time.monotonic() + limit
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    separate = _unshare(libc)
    if not separate:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = _fork()
    if child == 0:
        _first(libc, run) if separate else _run(run)
    status = _wait(child, deadline)
    if not separate:
        _sweep()
    elif status is None:
        os.kill(child, signal.SIGKILL)
        _wait(child, time.monotonic() + PATIENCE)
    if status is None:
        _print(1, json.dumps({"error": f"was still loading after {limit:g} s", "late": True}))
    else:
        _report(status)


def _fork() -> int:
    """fork(); where there is no process to be had that is said, and this one ends."""
    try:
        return os.fork()
    except OSError as error:
        _print(1, unbegun(error))
        os._exit(0)


def unbegun(error: OSError) -> str:
    """What is printed of a file for which there was no process."""
    return json.dumps({"error": f"could not be loaded: {error.strerror}", "scarce": 1})


def _unshare(libc: Any) -> bool:
    """Enter a PID namespace for the children to come, as root or through a user namespace. False: not allowed."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(NEWPID | NEWNS) == 0:
        return True
    if libc.unshare(NEWPID | NEWNS | NEWUSER) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def _first(libc: Any, run: Callable[[], NoReturn]) -> NoReturn:
    """Be process 1 of the namespace: adopt orphans, and end with what is run, which ends all the others."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None)
    libc.mount(b"proc", b"/proc", b"proc", MS_NOSUID_NODEV_NOEXEC, None)
    child = _fork()
    if child == 0:
        _run(run)
    ended = status = 0
    while ended != child:
        ended, status = os.wait()
    _report(status)
    os._exit(0)


def _run(run: Callable[[], NoReturn]) -> NoReturn:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
    run()


def execute(command: list[str]) -> NoReturn:
    """Become a command."""
    try:
        os.execv(command[0], command)
    except OSError as error:
        why = {"missing": True, "scarce": int(is_scarce(error))}
        _print(1, json.dumps({"error": f"{command[0]} cannot be started: {error.strerror}", **why}))
    os._exit(0)


def _wait(child: int, deadline: float) -> int | None:
    """The status a child ended with; None when time is over or the server is gone."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == child:
            return status
        if ended == 0:
            told = signal.sigtimedwait(ENDINGS, max(0.0, deadline - time.monotonic()))
            if told is None or told.si_signo == signal.SIGTERM:
                return None


def _sweep() -> None:
    """Kill every descendant; orphans have become children of this process."""
    deadline = time.monotonic() + PATIENCE
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            for pid in _descendants():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            signal.sigtimedwait({signal.SIGCHLD}, 0.01)


def _descendants() -> list[int]:
    """All processes below this one, parents first."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
            children.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(name))
    found = [os.getpid()]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found[1:]


def _report(status: int) -> None:
    code = os.waitstatus_to_exitcode(status)
    if code > 0:
        _print(1, json.dumps({"error": f"ended with exit code {code} while being loaded"}))
    elif code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        _print(1, json.dumps({"error": f"was ended by {name} while being loaded", "late": code == -signal.SIGKILL}))


def _print(descriptor: int, line: str) -> None:
    with open(descriptor, "w", closefd=False) as file:
        file.write(line + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "--isolated":
        isolated(float(sys.argv[2]), lambda: execute(sys.argv[3:]))
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
