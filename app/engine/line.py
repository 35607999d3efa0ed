"""A connection to the dispatcher that stays open: what needs no answer is said through it, one message after the other.

To connect anew for each would cost the dispatcher two more turns a job.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def connect(path: Path, seconds: float) -> socket.socket:
    """A connection to whoever listens there. Raises OSError."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(seconds)
        link.connect(str(path))
    except OSError:
        link.close()
        raise
    return link


def send(link: socket.socket, message: Json) -> None:
    """Say one message. Raises OSError."""
    link.sendall(json.dumps(message).encode() + b"\n")


class Line:
    """The line of one process, for all of its threads."""

    def __init__(self, path: Path) -> None:
        """path: of the dispatcher's socket; nobody need listen there yet."""
        self._path, self._lock = path, threading.Lock()
        self._link: socket.socket | None = None
        self._hang_up: Callable[[], object] = lambda: None
        self._process = 0  # which has connected: a child of it may not speak through the same

    def tell(self, message: Json) -> None:
        """Say it to the dispatcher that is there now. Raises OSError when there is none, or it does not listen."""
        with self._lock:
            if self._link is not None and self._process == os.getpid():
                with suppress(OSError):  # the next one is there already, or is not
                    return send(self._link, message)
            self._link = None
            self._hang_up()
            link = connect(self._path, 1.0)
            self._link, self._process = link, os.getpid()
            self._hang_up = weakref.finalize(self, link.close)
            send(link, message)
