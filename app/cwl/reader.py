"""A warm process that reads CWL documents: cwltool takes a second to load, and then a document some milliseconds.

    python -m geomill.app.cwl.reader SECONDS    reads for whoever is at the other end of the socket, its standard
                                                input, until that has gone or asked for nothing for so long

A message names a folder; with it come a file for the answer, and the end of a pipe that is held until nothing is left
of the child that read the document there: it is somebody else's, so each one is read in a child of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from geomill.app import immortal
from geomill.app.engine import isolation
from geomill.processes.describe import isolated, unbegun
from geomill.processes.packages import MOST, SPARE, kept_environment

IDLE = 60.0  # seconds; then the memory, 70 MB, is worth more than the second
MESSAGE = 16384  # bytes: a path, a number and a version
OLDEST = "v1.0"  # cwltool needs its schemas whatever the document says
VERSION = re.compile(rb"cwlVersion\W{1,9}(v1\.[012])\b")  # whose schemas are needed; a wrong guess costs time alone
DOCUMENT, NAMES = "document.cwl", "names.json"  # in the folder; names: [w, other]


class Reader:
    """This process's end of a reader, which is started when it is first needed. For any thread."""

    def __init__(self, idle: float = IDLE) -> None:
        """Start nothing yet. idle: seconds without a document after which it leaves."""
        self._idle = idle
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        atexit.register(self.stop)

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        return self._process.pid if self._process else None

    def read(self, document: bytes, names: list[str | None], limit: float, folder: Path) -> bytes:
        """What was printed of a document; its last line is JSON. limit: seconds; folder: where it may lie meanwhile."""
        with tempfile.TemporaryDirectory(prefix=".validated-", dir=folder) as place:
            Path(place, DOCUMENT).write_bytes(document)
            Path(place, NAMES).write_text(json.dumps(names))
            found = VERSION.search(document)
            message = json.dumps({"folder": place, "limit": limit, "version": found[1].decode() if found else None})
            printed = b""
            for _ in range(2):  # the first may just be leaving
                with tempfile.TemporaryFile(dir=place) as answer:
                    in_time = self._wait(message.encode(), answer.fileno(), limit + SPARE)
                    answer.seek(0)
                    printed = answer.read(MOST)
                if printed or not in_time:
                    break
        return printed

    def _wait(self, message: bytes, answer: int, seconds: float) -> bool:
        """Have a document read; False when that does not come to an end, and the reader was ended."""
        over, held = os.pipe()
        try:
            try:
                self._send(message, [answer, held])
            finally:
                os.close(held)
            waiting = select.poll()
            waiting.register(over, select.POLLIN)
            if waiting.poll(seconds * 1000):
                return True
            self.stop()
            return False
        finally:
            os.close(over)

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        with self._lock:
            if self._link is not None:
                with suppress(OSError):
                    socket.send_fds(self._link, [message], descriptors)
                    return
            self._end()  # it has left
            socket.send_fds(self._start(), [message], descriptors)

    def _start(self) -> socket.socket:
        self._link, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inside:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(self._idle)],
                stdin=inside.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=kept_environment(),
                start_new_session=True,
            )
        return self._link

    def stop(self) -> None:
        """End it, whatever it does; the next document starts another."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._link and self._process:
            self._link.close()
            self._process.kill()
            self._process.wait()
        self._link = self._process = None


def main(idle: float) -> None:
    """Read what is asked for until nobody asks any more."""
    link = socket.socket(fileno=os.dup(0))
    os.dup2(1, 0)  # nothing: no child shall have the socket
    isolation.set_name("geomill-reader")
    from geomill.app.cwl import validate

    validate.load()
    immortal.make_all()
    asked = select.poll()
    asked.register(link, select.POLLIN)
    while asked.poll(idle * 1000) or _busy():
        if asked.poll(0):
            content, descriptors, _, _ = socket.recv_fds(link, MESSAGE, 2)
            if not content:
                return
            _fork(json.loads(content), descriptors, link)


def _fork(question: dict[str, Any], descriptors: list[int], link: socket.socket) -> None:
    """Have one document read by a child."""
    from cwltool.process import get_schema

    for version in filter(None, (OLDEST, question["version"])):
        get_schema(version)  # kept, so that no later child reads it again
    try:
        if os.fork() == 0:
            link.close()
            _answer(question, *descriptors)
    except OSError as error:  # of fork: the child comes to no end of this
        os.write(descriptors[0], f"{unbegun(error)}\n".encode())
    for each in descriptors:
        os.close(each)


def _busy() -> bool:
    """Whether a child still reads; those that have ended are reaped."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def _answer(question: dict[str, Any], answer: int, held: int) -> NoReturn:
    """Be the child that reads one document. held: nothing to us, but that we have it."""
    from geomill.app.cwl import validate

    def run() -> NoReturn:
        code = 1
        try:
            folder = Path(question["folder"])
            validate.main(folder / DOCUMENT, *json.loads((folder / NAMES).read_text()))
            code = 0
        finally:
            os._exit(code)

    try:
        os.setsid()
        os.dup2(answer, 1)
        os.close(answer)
        isolated(question["limit"], run)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(float(sys.argv[1]))
