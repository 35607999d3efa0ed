"""Files that stand inside of answers: how many bytes of them a worker holds at the same time."""

from __future__ import annotations

import threading
from pathlib import Path

from flask import Response, after_this_request

MOST = 128 * 2**20  # bytes; an answer takes five times what it holds, while it is made


class TooMuchAtOnce(Exception):
    """Other answers hold too much at this moment."""

    retry_after = 5


class Inlining:
    """What the answers of a worker hold of files, from when it was read until they were sent."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.held = 0
        self._lock = threading.Lock()

    def read(self, path: Path, size: int) -> bytes:
        """The content of a file for the answer to this request. Raises TooMuchAtOnce, OSError."""
        with self._lock:
            if self.held and self.held + size > MOST:
                raise TooMuchAtOnce("Other answers with files in them are being sent; ask again, or ask for links.")
            self.held += size

        def when_sent() -> None:
            with self._lock:
                self.held -= size

        @after_this_request
        def add(response: Response) -> Response:
            response.call_on_close(when_sent)
            return response

        return path.read_bytes()
