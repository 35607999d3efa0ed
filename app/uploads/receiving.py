"""What a request sends as a file, in pieces: its whole body, or the one file of a form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, File, MultipartDecoder, NeedData

from geomill.app.exchange import media_types
from geomill.app.exchange.file_names import last_segment, tame
from geomill.app.negotiation import BYTES, FORM
from geomill.app.uploads.store import Sent

PIECE = 1 << 16  # bytes
OVERHEAD = 1 << 20  # bytes of a form beside its file: its other fields, the heads of its parts
PARTS = 100  # of a form
# what says nothing of a file: programs send the last two for whatever they send
_UNKNOWN = ("", BYTES, "application/x-www-form-urlencoded")
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(\s*;[\x20-\x7e]{1,200})?", re.ASCII)


def sent(most: int, name: str | None) -> Sent:
    """The file of the request. most: bytes that it may have; name: what it is called, if the body does not say.

    Raises BadRequest and RequestEntityTooLarge, also when its pieces are read.
    """
    media_type, options = parse_options_header(request.headers.get("Content-Type", ""))
    if media_type.lower() == FORM:
        request.max_content_length = most + OVERHEAD
        return _of_form(_Form(options.get("boundary", "")), most, name)
    if (request.content_length or 0) > most:
        raise _too_large(most)
    request.max_content_length = most + OVERHEAD  # the limit itself is counted: a body of just that length is none
    _, disposition = parse_options_header(request.headers.get("Content-Disposition", ""))
    return _described(disposition.get("filename") or name, request.headers.get("Content-Type"), _up_to(most, _body()))


def described(file: FileStorage) -> Sent:
    """A file of a form that has been read. Raises BadRequest."""
    return _described(file.filename, file.content_type, iter(lambda: file.read(PIECE), b""))


def _of_form(form: _Form, most: int, name: str | None) -> Sent:
    event = form.next_file()
    if event is None:
        raise BadRequest("The form has no file: send one part with a filename.")
    pieces = _up_to(most, form.content())
    return _described(event.filename or name, event.headers.get("Content-Type"), pieces)


def _described(name: str | None, media_type: str | None, pieces: Iterator[bytes]) -> Sent:
    """A file under a tame name, of the type that was said, else of the one that the name tells."""
    tamed = tame(last_segment(name or ""), "")
    stated = (media_type or "").strip()
    if media_types.essence(stated) in _UNKNOWN:
        stated = media_types.of_name(tamed)
    if not _MEDIA_TYPE.fullmatch(stated):
        raise BadRequest(f"Content-Type: {stated[:100]!r} is no media type.")
    return Sent(tamed, stated, pieces)


def _up_to(most: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise _too_large(most)
        yield piece


def _too_large(most: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"The file is larger than {most} bytes, the most that an upload may have.")


def _body() -> Iterator[bytes]:
    """The body of the request, all that it promised. Raises BadRequest for one that broke off."""
    size = 0
    try:
        while piece := request.stream.read(PIECE):
            size += len(piece)
            yield piece
    except (OSError, ClientDisconnected, ParseException) as error:
        raise BadRequest("The body breaks off, or its chunks are malformed.") from error
    if size < (request.content_length or 0):
        raise BadRequest(f"The body breaks off after {size} of {request.content_length} bytes.")


class _Form:
    """A body of parts, of which one is a file; its other fields are passed over. RFC 7578"""

    def __init__(self, boundary: str) -> None:
        if not boundary:
            raise BadRequest(f"Content-Type: {FORM} says no boundary.")
        self._decoder = MultipartDecoder(boundary.encode(errors="replace"), 2 * OVERHEAD, max_parts=PARTS)
        self._events: Iterator[Event] = self._parsed()

    def next_file(self) -> File | None:
        """The next file, if there is another; a field for one in which none was chosen is none."""
        for event in self._events:
            if not isinstance(event, File):
                continue
            first = next(self._events)
            if event.filename or (isinstance(first, Data) and (first.data or first.more_data)):
                self._events = chain([first], self._events)
                return event
        return None

    def content(self) -> Iterator[bytes]:
        """The content of the file. Raises BadRequest where another one comes after it."""
        for event in self._events:
            assert isinstance(event, Data)
            yield event.data
            if not event.more_data:
                break
        if self.next_file() is not None:
            raise BadRequest("The form has several files: send one upload for each.")

    def _parsed(self) -> Iterator[Event]:
        """What the parts are made of, as it arrives. Raises BadRequest."""
        for piece in chain(_body(), [None]):
            while not isinstance(event := self._next(piece), NeedData):
                piece = b""
                yield event
                if isinstance(event, Epilogue):
                    return

    def _next(self, piece: bytes | None) -> Event:
        """What the decoder makes of another piece of the body, None at its end."""
        try:
            if piece != b"":
                self._decoder.receive_data(piece)
            return self._decoder.next_event()
        except (ValueError, RequestEntityTooLarge) as error:  # the latter: one head has no end
            raise BadRequest(f"The body is no {FORM}: {str(error)[:200]}") from error
