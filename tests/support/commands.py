"""Runs commands of Python as processes of their own, forked from an interpreter that has imported what they need.

    python -m support.commands MODULE:FUNCTION [MODULE...]

runs the function, as a script would, for each request that comes from the socket on standard input, and answers with
the status it ended with; or with the pid of what goes on, which becomes a child of the tests.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from support import leaks
from support.waiting import until

PATIENCE = 120.0  # seconds
LONGEST = 1 << 17  # bytes of a request
TESTS = Path(__file__).parents[1]


class Started:
    """A command that goes on: as much of a subprocess.Popen as the tests need of it."""

    def __init__(self, pid: int, stdout: IO[str]) -> None:
        """stdout: what it prints."""
        self.pid, self.stdout = pid, stdout

    def terminate(self) -> None:
        """Ask it to end."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for its end."""

        def ended() -> bool:
            try:
                return os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
            except ChildProcessError:  # a test has waited for it
                return True

        until(ended, seconds)


class Command:
    """A command, warm from its first run to the end of the tests."""

    def __init__(self, function: str, *modules: str) -> None:
        """function: `module:name`; modules: what else is imported beforehand."""
        self._function, self._modules = function, modules
        self._channel: socket.socket | None = None

    def __call__(
        self, *arguments: object, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end. environment: all of it; folder: where it runs."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
            streams = (out.fileno(), error.fileno())
            code = self._ask(streams, arguments=arguments, environment=environment, folder=folder or Path.cwd())
            for file in (out, error):
                file.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read(), error.read())

    def start(self, *arguments: object, environment: Mapping[str, str], folder: Path) -> Started:
        """Let it run; its standard error is that of the tests."""
        reading, writing = os.pipe()
        try:
            pid = self._ask((writing, 2), arguments=arguments, environment=environment, folder=folder, goes_on=True)
        finally:
            os.close(writing)
        return Started(pid, os.fdopen(reading))

    def _ask(self, streams: tuple[int, int], **asked: Any) -> int:
        """streams: its standard output and standard error."""
        channel = self._channel = self._channel or self._start()
        arguments, environment = list(map(str, asked["arguments"])), dict(asked["environment"] or os.environ)
        asked |= {"arguments": arguments, "environment": environment, "folder": str(asked["folder"]), "umask": umask()}
        socket.send_fds(channel, [json.dumps(asked).encode()], streams)
        assert select.select([channel], [], [], PATIENCE)[0], f"{arguments} does not end"
        return int(channel.recv(LONGEST))

    def _start(self) -> socket.socket:
        command = [sys.executable, "-m", "support.commands", self._function, *self._modules]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(command, cwd=TESTS, stdin=theirs)
        leaks.share(process.pid)
        atexit.register(process.wait)
        atexit.register(ours.close)  # it ends with that, the other way round than they are registered
        return ours


def umask() -> int:
    """The umask of this process."""
    os.umask(now := os.umask(0))
    return now


def python() -> None:
    """A command that is what `python -m` is."""
    name = sys.argv.pop(1)
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def main(function: str, *modules: str) -> None:
    """Wait for what to run."""
    module, _, name = function.partition(":")
    for each in (module, *modules):
        importlib.import_module(each)
    channel = socket.socket(fileno=os.dup(0))
    while (received := socket.recv_fds(channel, LONGEST, 2))[0]:
        asked, streams = json.loads(received[0]), received[1]
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            channel.close()
            if asked.get("goes_on") and (child := os.fork()):
                os.write(writing, str(child).encode())
                os._exit(0)
            os.close(reading)
            os.close(writing)
            _run(module, name, asked, streams)
        for descriptor in (writing, *streams):
            os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        channel.send(os.read(reading, 16) if asked.get("goes_on") else str(code).encode())
        os.close(reading)


def _run(module: str, name: str, asked: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    code: Any = 1
    try:
        for number, descriptor in enumerate((os.open(os.devnull, os.O_RDWR), *streams)):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.umask(asked["umask"])
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.path[:0] = asked["environment"].get("PYTHONPATH", "").split(os.pathsep)
        sys.argv = [sys.modules[module].__file__ or "", *asked["arguments"]]
        sys.orig_argv = [sys.executable, "-P", "-m", module, *asked["arguments"]]
        code = getattr(sys.modules[module], name)()
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
