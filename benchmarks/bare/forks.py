"""Bare forks: the least that a job costs which has processes of its own, the isolation and the fsyncs of ours.

python -m benchmarks.bare.forks TEMPLATE FOLDER loads the libraries of a template; then, for every line with a number on
its standard input, it runs that many jobs, two at a time, and says in how many seconds.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from benchmarks.bare.files import Bare, begin, end
from geomill.app.engine import isolation
from geomill.app.engine.templates import LIBRARIES
from geomill.processes.packages import threads

AT_A_TIME = 2


def main(template: str, place: Path) -> None:
    """Serve until standard input ends."""
    os.environ.update(threads(1))  # a forked process would inherit locks of others
    for library in LIBRARIES[template]:
        if not library.startswith("geomill."):
            importlib.import_module(library)
    gc.collect()
    gc.freeze()
    bare = Bare(place)
    print("ready", flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        running = 0
        for _ in range(int(line)):
            if running == AT_A_TIME:
                running -= _ended()
            start(bare)
            running += 1
        for _ in range(running):
            _ended()
        print(time.perf_counter() - begun, flush=True)


def start(bare: Bare) -> None:
    """One job: its files, and its supervisor, process 1 of a PID namespace."""
    folder = bare.create()
    if isolation.fork_into_namespace().pid == 0:
        _supervise(folder)


def _supervise(folder: Path) -> NoReturn:
    """The supervisor of a job and its child, which gets what isolates it and ends."""
    code = 1
    try:
        os.setsid()
        begin(folder)
        child = os.fork()
        if child == 0:
            isolation.mount_own()
            isolation.leave_network()
            os._exit(0)
        os.waitpid(child, 0)
        end(folder)
        code = 0
    finally:
        os._exit(code)


def _ended() -> int:
    """Wait until one of them has."""
    _, status = os.wait()
    if status:
        raise SystemExit(f"a job ended with {status}")
    return 1


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
