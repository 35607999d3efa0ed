"""A name for every request: what its client, or a proxy, called it, or one of ours. Answers and log lines have it."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from flask import Response

from geomill.app import loglines
from geomill.app.addresses import TENANT
from geomill.app.asked import asked

if TYPE_CHECKING:
    from geomill.app.server import Geomill

HEADER, _IN_ENVIRON = "X-Request-ID", "HTTP_X_REQUEST_ID"
_VALID = re.compile("[0-9A-Za-z._:+=/@-]{1,128}")


def init_app(app: Geomill) -> None:
    """Name every request."""

    def begin() -> None:
        request = asked()
        environ, views = request.environ, request.view_args
        given = environ.get(_IN_ENVIRON, "")
        environ[_IN_ENVIRON] = name = given if _VALID.fullmatch(given) else new()
        loglines.about_anew(request=name, tenant=environ[TENANT], job=views.get("job_id", "") if views else "")

    def end(response: Response) -> Response:
        response.headers[HEADER] = asked().environ.get(_IN_ENVIRON) or new()
        response.call_on_close(loglines.forget)  # what is wrong while a body is sent is still about it
        return response

    app.before_request(begin)
    app.after_request(end)


def new() -> str:
    """A name that no other request has; no secret, and no system call."""
    return f"{random.getrandbits(80):020x}"  # noqa: S311
