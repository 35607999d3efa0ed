"""The page that an address belongs to which only takes posts: who comes there by a link or by going back is led on."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from geomill.app import links, operations
from geomill.app.negotiation import HTML


def only_posted() -> bool:
    """Whether what was asked for takes posts and is nothing to read, whatever else has an address of that shape."""
    takes, reads = _rule(request.path, "POST"), _rule(request.path, "GET")
    return takes is not None and (reads is None or takes.rule != reads.rule)


def lead() -> Response:
    """On to that page."""
    response = Response(status=303, headers={"Location": page_above(), "Cache-Control": "no-store"})
    response.vary.add("Accept")
    return response


def page_above() -> str:
    """The address of the nearest page above what was asked for, as a browser calls it."""
    path = request.path.rstrip("/")
    while path := path.rpartition("/")[0]:
        rule = _rule(path, "GET")
        found = operations.of(current_app, rule.endpoint) if rule else None
        if found and HTML in found.offers:
            return quote(f"{request.root_path}{path}")
    return links.to("landing.show")


def _rule(path: str, method: str) -> Rule | None:
    """What answers a method at a path."""
    adapter = current_app.create_url_adapter(request)
    try:
        return adapter.match(path, method, return_rule=True)[0] if adapter else None
    except HTTPException:
        return None
