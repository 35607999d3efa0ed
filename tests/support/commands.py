"""Runs `geomill` as a process of its own without starting an interpreter each time: forked from one that is warm.

    python -m support.commands    for each line of JSON on standard input, runs a command and prints its status
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from support import leaks

PATIENCE = 60.0  # seconds
TESTS = Path(__file__).parents[1]


class Commands:
    """The warm interpreter."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self, arguments: list[str], environment: Mapping[str, str], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. environment: all of it; folder: where it runs."""
        assert self._process.stdin and self._process.stdout
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as error:
            asked = {"arguments": arguments, "environment": dict(environment), "folder": str(folder)}
            self._process.stdin.write(json.dumps({**asked, "out": out.name, "error": error.name}) + "\n")
            self._process.stdin.flush()
            assert select.select([self._process.stdout], [], [], PATIENCE)[0], f"{arguments} does not end"
            code = int(self._process.stdout.readline())
            said = [Path(file.name).read_text() for file in (out, error)]
        return subprocess.CompletedProcess(arguments, code, *said)


@contextmanager
def warm() -> Iterator[Commands]:
    """One that serves several tests."""
    command = [sys.executable, "-m", "support.commands"]
    process = subprocess.Popen(command, cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    leaks.share(process.pid)
    with process:
        yield Commands(process)
        assert process.stdin
        process.stdin.close()


def main() -> None:
    """Wait for commands."""
    import geomill.app.cli.local
    import geomill.app.server  # noqa: F401

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run(asked: dict[str, Any]) -> NoReturn:
    from geomill.app.cli import main

    code: Any = 70
    try:
        for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["error"])):
            os.dup2(os.open(name, os.O_RDWR), number)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        main(asked["arguments"], prog_name="geomill")
    except SystemExit as error:
        code = error.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
