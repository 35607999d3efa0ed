"""What a request takes of the uploads of who sends it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from flask import g

from geomill.app.exchange.request import ExecuteRequest
from geomill.app.guard import Guard
from geomill.app.security import is_ours
from geomill.app.server import current_app
from geomill.app.uploads import naming


def uploads_of(asked: ExecuteRequest) -> Mapping[str, Path]:
    """The uploads of the caller that a request names, for its job to hold. Raises BadInput."""
    uploads = current_app.uploads
    wanted = naming.wanted(asked.inputs, uploads, g.caller.owns, partial(is_ours, current_app.settings))
    return naming.given(uploads, wanted)


def check_href(guard: Guard, given: Mapping[str, Path], href: str) -> None:
    """Refuse what would not be fetched. given: what the job has anyhow. Raises Refused."""
    if naming.upload_id(href) not in given:
        guard.check(href)
