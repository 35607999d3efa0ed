"""What pages load: /static/{version}/{path}."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, send_from_directory

from geomill.app.negotiation import ANY
from geomill.app.operations import Answer, operation
from geomill.app.pages.assets import FOLDER

bp = Blueprint("assets", __name__)

FOREVER = 365 * 86400  # seconds


@bp.get("/static/<version>/<path:path>")
@operation("getAsset", {200: Answer("A part of a page.", media_types=(ANY,))}, (404,), offers=(ANY,), documented=False)
def show(version: str, path: str) -> Any:
    """A part of pages; the version in its address changes with its content, so it is kept as long as one likes."""
    if not (FOLDER / path).is_file():
        abort(404, f"No page has a part {path!r}.")
    response = send_from_directory(FOLDER, path, max_age=FOREVER)
    response.cache_control.public, response.cache_control.immutable = True, True
    return response
