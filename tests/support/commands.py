"""Runs commands of Python as processes of their own, forked from an interpreter that has imported what they need.

    python -m support.commands MODULE:FUNCTION [MODULE...]

runs the function, as a script would, for each line of JSON on standard input, and prints the status it ended with.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from support import leaks

PATIENCE = 120.0  # seconds
TESTS = Path(__file__).parents[1]


class Command:
    """A command, warm from its first run to the end of the tests."""

    def __init__(self, function: str, *modules: str) -> None:
        """function: `module:name`; modules: what else is imported beforehand."""
        self._function, self._modules = function, modules
        self._process: subprocess.Popen[str] | None = None

    def __call__(
        self, *arguments: object, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end. environment: all of it; folder: where it runs."""
        process = self._process = self._process or self._start()
        assert process.stdin and process.stdout
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as error:
            asked = {"arguments": list(map(str, arguments)), "environment": dict(environment or os.environ)}
            asked |= {"folder": str(folder or Path.cwd()), "out": out.name, "error": error.name}
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            assert select.select([process.stdout], [], [], PATIENCE)[0], f"{arguments} does not end"
            code = int(process.stdout.readline())
            said = [Path(file.name).read_text() for file in (out, error)]
        return subprocess.CompletedProcess(arguments, code, *said)

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "support.commands", self._function, *self._modules]
        process = subprocess.Popen(command, cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        leaks.share(process.pid)
        atexit.register(process.communicate)  # it ends with its standard input
        return process


def python() -> None:
    """A command that is what `python -m` is."""
    name = sys.argv.pop(1)
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def main(function: str, *modules: str) -> None:
    """Wait for what to run."""
    module, _, name = function.partition(":")
    for each in (module, *modules):
        importlib.import_module(each)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _run(getattr(sys.modules[module], name), json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run(function: Any, asked: dict[str, Any]) -> NoReturn:
    code: Any = 1
    try:
        for number, name in enumerate((os.devnull, asked["out"], asked["error"])):
            os.dup2(os.open(name, os.O_RDWR), number)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.path[:0] = asked["environment"].get("PYTHONPATH", "").split(os.pathsep)
        sys.argv[1:] = asked["arguments"]
        code = function()
    except SystemExit as error:
        code = error.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main(*sys.argv[1:])
