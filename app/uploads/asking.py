"""The uploads of who sends this request, as inputs of what he asks for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from flask import g

from geomill.app.exchange.request import ExecuteRequest
from geomill.app.guard import Refused
from geomill.app.security import is_ours
from geomill.app.server import current_app
from geomill.app.uploads.naming import Finder
from geomill.app.uploads.store import NoSuchUpload


def check_href(href: str) -> None:
    """Refuse an address that would not be fetched: neither an upload of the caller, nor let through by the guard.

    Raises Refused.
    """
    try:
        upload = _finder().find(href)
    except NoSuchUpload as error:
        raise Refused(str(error)) from None
    if upload is None:
        current_app.guard.check(href)


def given(asked: ExecuteRequest) -> Mapping[str, Path]:
    """What a job is to hold of the caller's uploads. Raises BadInput."""
    return _finder().given(asked.inputs)


def _finder() -> Finder:
    return Finder(current_app.uploads, g.caller.owns, partial(is_ours, current_app.settings))
