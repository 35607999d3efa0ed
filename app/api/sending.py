"""Bodies that are files, which the kernel sends, and those that are made while they are sent."""

from __future__ import annotations

import errno
import io
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from flask import Response, request, send_file
from werkzeug.wsgi import FileWrapper, wrap_file

log = logging.getLogger(__name__)


class _Part(io.FileIO):
    """A part of a file, from where it begins to where it ends."""

    def __init__(self, path: Path, start: int, stop: int) -> None:
        """start, stop: in bytes."""
        super().__init__(path, "rb")
        self.stop = stop
        self.seek(start)

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file."""
        left = self.stop - self.tell()
        return super().read(left if size is None or size < 0 else min(size, left)) or b""


def file_answer(path: Path, media_type: str | None, **more: Any) -> Response:
    """A file, or the one range of it that is asked for. more: as flask.send_file takes it. Raises OSError."""
    read_range(path.stat().st_size)
    response = send_file(path, media_type, conditional=True, **more)
    if response.status_code == 206:  # werkzeug would read, and pass over, all that is before it
        response.response.close()  # type: ignore[union-attr]
        part = response.content_range
        response.response = _sendable(_Part(path, part.start or 0, part.stop or 0))
    return response


def _sendable(file: _Part) -> Iterable[bytes]:
    """What is sent of a file. That of gunicorn begins where the file stands; not every server's does."""
    return wrap_file(request.environ, file) if "gunicorn.socket" in request.environ else FileWrapper(file)


def read_range(size: int) -> None:
    """Heed one range of bytes alone. size: of what is given.

    RFC 9110, 14.2: what is not understood is as if not there; 14.1.2: more than there is of the end is all of it.
    """
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        request.environ.pop("HTTP_RANGE", None)
    elif asked.ranges[0][0] < -size:
        request.environ["HTTP_RANGE"] = "bytes=0-"


def as_it_comes(pieces: Iterator[bytes], what: str) -> Iterator[bytes]:
    """A body whose files may be removed meanwhile: it breaks off then, in one line of the log. what: is sent.

    The status has been sent by then: the client sees by the connection, which ends too early, that this is not all.
    gunicorn, which would log a traceback for any other error, closes it as if it had been reset.
    """
    try:
        yield from pieces
    except OSError as error:
        why = f"{error.filename} is gone" if isinstance(error, FileNotFoundError) else error
        log.warning("%s breaks off while it is sent: %s", what, why)
        raise ConnectionResetError(errno.ECONNRESET, "the answer breaks off") from None
