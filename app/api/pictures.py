"""What pages show of GeoTIFFs in results: /jobs/{jobID}/pictures/{path}, /jobs/{jobID}/values/{path}.

Neither is made in a worker, which only asks for it.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, jsonify, send_file

from geomill.app import links
from geomill.app.negotiation import JSON, PNG
from geomill.app.operations import Answer, operation
from geomill.app.published import published
from geomill.app.schemas import ValueQuery
from geomill.app.schemas.queries import read as read_query
from geomill.app.security import SANDBOX
from geomill.app.server import current_app
from geomill.jobstore import ResultNotAvailable, pictures

bp = Blueprint("pictures", __name__)

PATIENCE = 2.0  # seconds that a request waits for a picture
LONGEST = 6.0  # and for a value
AGAIN = 1  # seconds until a client asks again
DESCRIBED = {200: Answer("The picture, or what it shows.", {"type": "object"}, (JSON, PNG)), 202: Answer("Not yet.")}
VALUE = {200: Answer("The value, or why there is none.", {"type": "object"})}
FAILURES = (400, 404, 410, 503)


@bp.get("/jobs/<job_id>/pictures/<path:path>")
@operation("getPicture", DESCRIBED, FAILURES, offers=(JSON, PNG), documented=False)
def show(job_id: str, path: str) -> Any:
    """A picture of a GeoTIFF, and where it lies."""
    published(job_id, path)
    said = pictures.read(current_app.jobs, job_id, path)
    if said is None:
        failed = _asked(job_id, path, None, PATIENCE)
        said = pictures.read(current_app.jobs, job_id, path) or (failed if failed and "error" in failed else None)
    if said is None:
        return _later()
    if g.media_type == PNG:
        return _image(job_id, path)
    return {**said, "href": links.to("pictures.show", job_id=job_id, path=path, f="png")}


@bp.get("/jobs/<job_id>/values/<path:path>")
@operation("getValue", VALUE, FAILURES, query=ValueQuery, documented=False)
def value(job_id: str, path: str) -> Any:
    """The value of a GeoTIFF at a place."""
    published(job_id, path)
    place = read_query(ValueQuery)
    found = _asked(job_id, path, (place["lon"], place["lat"]), LONGEST)
    return {"error": "It took too long; try again."} if found is None else found


def _asked(job_id: str, path: str, at: tuple[float, float] | None, seconds: float) -> dict[str, Any] | None:
    """What the dispatcher answers. Threads that wait are counted with those that wait for jobs: others stay free."""
    with current_app.seats.one((current_app.jobs.tenant, g.caller.name)) as wait:
        return current_app.engine.view(job_id, path, at, seconds if wait else 0.0)


def _later() -> Response:
    response = jsonify({"message": "The picture is being drawn."})
    response.status_code = 202
    response.retry_after = AGAIN
    return response


def _image(job_id: str, path: str) -> Response:
    try:
        response = send_file(pictures.image(current_app.jobs, job_id, path), PNG)
    except FileNotFoundError:
        raise ResultNotAvailable(f"There is no picture of {path!r}.") from None
    response.headers.extend(SANDBOX)
    return response
