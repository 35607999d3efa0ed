"""A name for every request: what its client, or a proxy, called it, or one of ours. Answers and log lines have it."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from flask import Response, g, request

from geomill.app import loglines
from geomill.app.addresses import TENANT

if TYPE_CHECKING:
    from geomill.app.server import Geomill

HEADER = "X-Request-ID"
_VALID = re.compile("[0-9A-Za-z._:+=/@-]{1,128}")


def init_app(app: Geomill) -> None:
    """Name every request."""

    def begin() -> None:
        loglines.forget()
        given = request.headers.get(HEADER, "")
        g.request_id = given if _VALID.fullmatch(given) else new()
        job_id = str((request.view_args or {}).get("job_id", ""))
        loglines.about(request=g.request_id, tenant=request.environ[TENANT], job=job_id)

    def end(response: Response) -> Response:
        if name := g.get("request_id"):
            response.headers[HEADER] = name
        response.call_on_close(loglines.forget)  # what is wrong while a body is sent is still about it
        return response

    app.before_request(begin)
    app.after_request(end)


def new() -> str:
    """A name that no other request has; no secret, and no system call."""
    return f"{random.getrandbits(80):020x}"  # noqa: S311
