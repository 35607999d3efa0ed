"""What people see of GeoTIFFs in results: /jobs/{jobID}/pictures/{path}, /jobs/{jobID}/values/{path}.

Neither is made in a worker, which only asks for it.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, jsonify, send_file

from geomill.app import links
from geomill.app.negotiation import HTML, JSON, PNG
from geomill.app.operations import Answer, operation
from geomill.app.pages import raster
from geomill.app.published import published
from geomill.app.schemas import PictureQuery, ValueQuery
from geomill.app.schemas.queries import read as read_query
from geomill.app.security import SANDBOX
from geomill.app.server import current_app
from geomill.jobstore import ResultNotAvailable, pictures

bp = Blueprint("pictures", __name__)

PATIENCE = 2.0  # seconds that a request waits for a picture
LONGEST = 6.0  # and for a value
AGAIN = 1  # seconds until a client asks again
DESCRIBED = {
    200: Answer("The picture, or what it shows.", {"type": "object"}, (JSON, HTML, PNG)),
    202: Answer("Not yet."),
}
VALUE = {200: Answer("The value, or why there is none.", {"type": "object"})}
FAILURES = (400, 404, 410, 503)


@bp.get("/jobs/<job_id>/pictures/<path:path>")
@operation("getPicture", DESCRIBED, FAILURES, query=PictureQuery, offers=(JSON, HTML, PNG), documented=False)
def show(job_id: str, path: str) -> Any:
    """A picture of a GeoTIFF, and where it lies."""
    published(job_id, path)
    query = read_query(PictureQuery)
    band = query["band"] or None
    said = pictures.read(current_app.jobs, job_id, path, band)
    if said is None:
        failed = _asked(job_id, path, None, PATIENCE, band)
        said = pictures.read(current_app.jobs, job_id, path, band) or (failed if failed and "error" in failed else None)
    if g.media_type == HTML:
        told = _told(job_id, path, query) if said and "error" not in said else None
        return _soon(raster.page(job_id, path, band, said, told))
    if said is None:
        return _soon(jsonify({"message": "The picture is being drawn."}), 202)
    if g.media_type == PNG:
        return _image(job_id, path, band)
    return {**said, "href": links.to("pictures.show", job_id=job_id, path=path, band=band, f="png")}


@bp.get("/jobs/<job_id>/values/<path:path>")
@operation("getValue", VALUE, FAILURES, query=ValueQuery, documented=False)
def value(job_id: str, path: str) -> Any:
    """The value of a GeoTIFF at a place."""
    published(job_id, path)
    place = read_query(ValueQuery)
    return _value(job_id, path, (place["lon"], place["lat"]), place["band"] or None)


def _value(job_id: str, path: str, at: tuple[float, float], band: int | None) -> dict[str, Any]:
    found = _asked(job_id, path, at, LONGEST, band)
    return {"error": "It took too long; try again."} if found is None else found


def _told(job_id: str, path: str, query: dict[str, Any]) -> tuple[str, str] | None:
    """The place that the page is asked about, and the value there."""
    if query["lon"] is None or query["lat"] is None:
        return None
    found = _value(job_id, path, (query["lon"], query["lat"]), query["band"] or None)
    place = ", ".join(f"{query[name]:.7f}".rstrip("0").rstrip(".") for name in ("lon", "lat"))
    return place, found.get("error") or found.get("told", "outside")


def _asked(
    job_id: str, path: str, at: tuple[float, float] | None, seconds: float, band: int | None
) -> dict[str, Any] | None:
    """What the dispatcher answers. Threads that wait are counted with those that wait for jobs: others stay free."""
    with current_app.seats.one((current_app.jobs.tenant, g.caller.name)) as wait:
        return current_app.engine.view(job_id, path, at, seconds if wait else 0.0, band)


def _soon(response: Response, status: int | None = None) -> Response:
    """What is not there yet has a time to come back."""
    response.status_code = status or response.status_code
    if response.status_code == 202:
        response.retry_after = AGAIN
    return response


def _image(job_id: str, path: str, band: int | None) -> Response:
    try:
        response = send_file(pictures.image(current_app.jobs, job_id, path, band), PNG)
    except FileNotFoundError:
        raise ResultNotAvailable(f"There is no picture of {path!r}.") from None
    response.headers.extend(SANDBOX)
    return response
