"""The request that is being answered, itself: `flask.request` looks for it anew at every use, which takes longer than
most of what is done with it.
"""

from __future__ import annotations

from typing import cast

from flask import Request, request


def asked() -> Request:
    """The request. For what every request passes through."""
    return cast(Request, request._get_current_object())  # type: ignore[attr-defined]
