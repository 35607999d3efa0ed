"""The body of a request."""

from __future__ import annotations

from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge

from geomill.app.errors import EncodedBody
from geomill.app.server import current_app


def whole_body() -> bytes:
    """The whole body of the request.

    Raises RequestEntityTooLarge, EncodedBody, and BadRequest for one that broke off.
    """
    check_coding()
    try:
        body = request.get_data()
    except (OSError, ClientDisconnected, ParseException) as error:
        raise BadRequest("The body breaks off, or its chunks are malformed.") from error
    if len(body) < (request.content_length or 0):
        raise BadRequest(f"The body breaks off after {len(body)} of {request.content_length} bytes.")
    # one sent in chunks says no length, and is cut off at the limit instead of refused
    if request.content_length is None and len(body) >= current_app.settings.max_body:
        raise RequestEntityTooLarge
    return body


def check_coding() -> None:
    """Raises EncodedBody for a body that is packed."""
    if (encoding := request.headers.get("Content-Encoding", "identity").strip().lower()) != "identity":
        raise EncodedBody(f"Content-Encoding: {encoding[:40]!r} is not understood; send the body as it is.")
    if (coding := request.headers.get("Transfer-Encoding", "chunked").strip().lower()) != "chunked":
        raise EncodedBody(f"Transfer-Encoding: {coding[:40]!r} is not understood; send the body as it is or in chunks.")
