"""Files that stand inside of answers: how many bytes of them a worker holds at the same time."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from flask import Response, after_this_request, g

MOST = 128 * 2**20  # bytes; an answer takes five times what it holds, while it is made


class TooMuchAtOnce(Exception):
    """Other answers hold too much at this moment."""

    retry_after = 5


class Inlining:
    """What the answers of a process hold of files, from when it was read until they were sent."""

    def __init__(self, most: int = MOST) -> None:
        """most: bytes at a time; one answer alone may hold more."""
        self.held, self._most = 0, most
        self._lock = threading.Lock()

    def read(self, path: Path, size: int) -> bytes:
        """The content of a file for the answer to this request. Raises TooMuchAtOnce, OSError."""
        with self._lock:
            if self.held and self.held + size > self._most:
                raise TooMuchAtOnce("Other answers with files in them are being sent; ask again, or ask for links.")
            self.held += size
        self._when_sent().callback(self._let_go, size)
        return path.read_bytes()

    def _let_go(self, size: int) -> None:
        with self._lock:
            self.held -= size

    def _when_sent(self) -> ExitStack:
        """What is to be done when the answer was sent. Whoever sends what is no answer to a request does it himself."""
        stack: ExitStack | None = g.get("when_sent")
        if stack is None:
            g.when_sent = stack = ExitStack()

            @after_this_request
            def add(response: Response) -> Response:
                response.call_on_close(stack.close)
                return response

        return stack
