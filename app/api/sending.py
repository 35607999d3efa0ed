"""Bodies that are made while they are sent."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator

log = logging.getLogger(__name__)


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
