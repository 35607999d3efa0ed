"""What a request takes of the uploads of who sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from flask import g

from geomill.app import links
from geomill.app.exchange.request import ExecuteRequest
from geomill.app.security import is_ours
from geomill.app.server import current_app
from geomill.app.uploads import naming
from geomill.app.uploads.store import NoSuchUpload


def uploads_of(asked: ExecuteRequest) -> Mapping[str, Path]:
    """The uploads of the caller that a request names, for its job to hold. Raises BadInput."""
    uploads = current_app.uploads
    wanted = naming.wanted(asked.inputs, uploads, g.caller.owns, partial(is_ours, current_app.settings))
    return naming.given(uploads, wanted)


@dataclass(frozen=True)
class Held:
    """An upload as a page shows it. removal: the address to remove it at."""

    name: str
    size: int
    expires: datetime | None
    removal: str


def held(href: str) -> Held | None:
    """The upload of the caller that an address names, if it is still kept."""
    uploads, upload_id = current_app.uploads, naming.upload_id(href)
    with suppress(NoSuchUpload):
        upload = uploads.get(upload_id or "", g.caller.owns)
        removal = links.to("uploads.remove", upload_id=upload.upload_id)
        return Held(upload.name, upload.size, uploads.expires(upload), removal)
    return None


def href_check(given: Mapping[str, Path]) -> Callable[[str], None]:
    """What refuses an address that would not be fetched, raising Refused. given: what the job has anyhow."""
    guard = cache(lambda: current_app.guard)  # which looks at files: most requests name no address, and some many

    def check(href: str) -> None:
        if naming.upload_id(href) not in given:
            guard().check(href)

    return check
