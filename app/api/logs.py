"""What a job printed: /jobs/{jobID}/logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from flask import Blueprint, Response

from geomill.app.api.sending import as_it_comes
from geomill.app.negotiation import HTML, TEXT
from geomill.app.operations import Answer, operation
from geomill.app.pages import logs as log_pages
from geomill.app.schemas import LogsQuery
from geomill.app.schemas.queries import read
from geomill.app.security import SANDBOX
from geomill.app.server import current_app

bp = Blueprint("logs", __name__)

LOG = Answer(
    "What the job printed, from `offset` to what there is now.",
    media_types=(TEXT, HTML),  # a page for people where that is nothing
    headers=("Next-Offset",),
)
PIECE = 64 * 1024  # bytes


@bp.get("/jobs/<job_id>/logs")
@operation(
    "getLog",
    {200: LOG},
    problems=(404, 410, 503),
    query=LogsQuery,
    offers=(TEXT,),
    streams=True,
)
def show(job_id: str) -> Any:
    """What the job printed, from the offset to what there is now; empty when that was nothing."""
    log = current_app.jobs.log(job_id)
    end = log.stat().st_size if log.exists() else 0
    begin = min(read(LogsQuery)["offset"], end)
    if end == 0 and log_pages.wanted():
        page = log_pages.empty(current_app.jobs.status(job_id))
        page.headers["Next-Offset"] = "0"
        return page
    headers = {**SANDBOX, "Next-Offset": str(end), "Content-Length": str(end - begin)}
    content = as_it_comes(pieces(lambda: log.open("rb"), begin, end), f"the log of job {job_id}")
    response = Response(content, headers=headers, content_type=f"{TEXT}; charset=utf-8")
    response.vary.add("Accept")
    return response


def pieces(opened: Callable[[], BinaryIO], begin: int, end: int) -> Iterator[bytes]:
    """The bytes from begin to end of a file that may grow meanwhile; it is open only as long as it is read."""
    if begin == end:
        return
    with opened() as file:
        file.seek(begin)
        while piece := file.read(min(PIECE, end - begin)):
            begin += len(piece)
            yield piece
