"""Files of this host that are to be inputs, sent to where the service keeps them."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import BinaryIO, TextIO

from geomill.client.inputs import Send
from geomill.client.progress import Line, percents
from geomill.client.service import Service
from geomill.client.show import clean


def sender(service: Service, *, shown: bool = True) -> Send:
    """Sends files to the service, if it takes any; that is asked once, when there is one to send.

    shown: on a terminal, how far it is.
    """

    @cache
    def uploads() -> str | None:
        return service.uploads()

    def send(path: Path, media_type: str) -> str | None:
        if (url := uploads()) is None:
            return None
        size = path.stat().st_size
        with path.open("rb") as file:
            content = Sending(file, path.name, size) if shown else file
            return service.upload(url, content, size, path.name, media_type)

    return send


class Sending:
    """A file that is sent, with a bar on a terminal; a small one is gone before anybody reads that."""

    def __init__(self, file: BinaryIO, name: str, size: int, stream: TextIO | None = None) -> None:
        """size: bytes; stream: standard error when left out."""
        self._file, self._name, self._size, self._sent = file, clean(name), size, 0
        self._line = Line(stream) if (stream or sys.stderr).isatty() else None

    def read(self, size: int = -1) -> bytes:
        """Another piece of it."""
        piece = self._file.read(size)
        self._sent += len(piece)
        if self._line:
            over = self._sent >= self._size
            self._line.write("" if over else percents(f"sending {self._name}", self._sent / self._size))
        return piece

    def tell(self) -> int:
        """How much of it was sent."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Begin again, after a redirect."""
        self._sent = self._file.seek(offset, whence)
        return self._sent
