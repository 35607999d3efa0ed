"""Uploads: /uploads and /uploads/{uploadID}, files that are to be inputs."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from geomill.app import links
from geomill.app.api.body import check_coding
from geomill.app.api.results import VALUE
from geomill.app.api.sending import file_answer
from geomill.app.exchange.media_types import extension
from geomill.app.negotiation import ANY, BYTES, FORM
from geomill.app.operations import Answer, operation
from geomill.app.schemas import UploadQuery, UploadSchema, dump
from geomill.app.schemas.queries import read
from geomill.app.security import SANDBOX
from geomill.app.server import current_app
from geomill.app.uploads import receiving

bp = Blueprint("uploads", __name__)

KEPT = Answer("The file is kept; `href` names it as an input.", UploadSchema, headers=("Location",))
BODIES = (BYTES, FORM, ANY)


@bp.post("/uploads")
@operation(
    "upload", {201: KEPT}, problems=(413, 415, 429, 503, 507), query=UploadQuery, takes=BODIES,
    headers=("Content-Disposition",),
)  # fmt: skip
def create() -> Any:
    """Send a file, as the body or in a form, that executions of yours can then name as an input."""
    check_coding()
    check_room = partial(current_app.jobs.admission.check_room, current_app.jobs.home)
    sent = receiving.sent(current_app.settings.max_upload, read(UploadQuery)["name"])
    check_room(request.content_length or 0)
    upload = current_app.uploads.receive(g.caller.name, sent, check_room)
    g.upload_id = upload.upload_id
    href, media_type = links.to("uploads.show", upload_id=upload.upload_id), upload.media_type
    document = {
        "href": href,
        "type": media_type,
        "name": upload.name or None,
        "size": upload.size,
        "expires": current_app.uploads.expires(upload),
        "links": [links.link(href, "self", "The file, for its owner", media_type)],
    }
    response = jsonify(dump(UploadSchema, document))
    response.status_code, response.headers["Location"] = 201, href
    return response


@bp.get("/uploads/<upload_id>")
@operation("getUpload", VALUE, problems=(404, 416, 503), headers=("Range",), offers=(ANY,))
def show(upload_id: str) -> Any:
    """A file that you sent."""
    upload = current_app.uploads.get(upload_id, g.caller.owns)
    name = upload.name or f"upload{extension(upload.media_type)}"
    with current_app.uploads.reading(upload) as path:
        response = file_answer(path, upload.media_type, download_name=name, as_attachment=True)
    response.headers.extend(SANDBOX)
    return response


@bp.delete("/uploads/<upload_id>")
@operation("removeUpload", {204: Answer("It is removed.", media_types=())}, problems=(404, 503))
def remove(upload_id: str) -> Any:
    """Remove a file that you sent; jobs that were asked for before still get it."""
    current_app.uploads.remove(current_app.uploads.get(upload_id, g.caller.owns).upload_id)
    return Response(status=204)
