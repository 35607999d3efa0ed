"""Which media type an answer has: what the client accepts against what a resource offers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from flask import Request

from geomill.app.exchange.accept import Accept

JSON = "application/json"
HTML = "text/html"
TEXT = "text/plain"
ANY = "*/*"
PROBLEM = "application/problem+json"
STREAM = "text/event-stream"
BYTES, FORM = "application/octet-stream", "multipart/form-data"
ZIP = "application/zip"
PNG = "image/png"
PROV_N = "text/provenance-notation"
XML, TEXT_XML = "application/xml", "text/xml"
TURTLE, JSON_LD, N_TRIPLES = "text/turtle", "application/ld+json", "application/n-triples"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
SHORT_NAMES = {  # ?f=json
    **{"json": JSON, "html": HTML, "provn": PROV_N, "xml": XML},
    **{"ttl": TURTLE, "turtle": TURTLE, "jsonld": JSON_LD, "nt": N_TRIPLES},
    **{"png": PNG, "zip": ZIP},
}


class UnknownFormat(ValueError):
    """The query parameter `f` names nothing that a resource is given as: UnknownFormat(value, the media types)."""

    def __str__(self) -> str:
        value, offered = self.args
        return f"f: {value!r:.80} is not one of {', '.join(_named(offered))}"


@lru_cache(maxsize=256)  # clients say the same again and again
def best(accept: Accept, offered: tuple[str, ...]) -> str | None:
    """The offered media type with the highest weight, the first of equals; None where none is acceptable.

    Who names problem documents alone says how he wants errors, and gets whatever there is besides.
    """
    first = max(offered, key=accept.quality)
    return first if accept.quality(first) > 0 or accept.names(PROBLEM) else None


def accepted(request: Request) -> Accept:
    """What the client accepts."""
    return Accept.parse(request.environ.get("HTTP_ACCEPT"))


def chosen(request: Request, offered: tuple[str, ...]) -> str | None:
    """As `best`, where a query parameter `f` (json, html, ttl) wins over the Accept header. Raises UnknownFormat."""
    value = request.args.get("f") if request.query_string else None
    if value is None:
        return best(accepted(request), offered)
    if value not in (known := _named(offered)):
        raise UnknownFormat(value, offered)
    return known[value]


def wants_page(request: Request) -> bool:
    """Whether an error is to be a page: whatever else was asked for."""
    return {"html": True, "json": False}.get(
        request.args.get("f", ""), best(accepted(request), (JSON, HTML)) == HTML
    )


def _named(offered: Sequence[str]) -> dict[str, str]:
    """The values of `f` for some media types, with these."""
    return {name: media_type for name, media_type in SHORT_NAMES.items() if media_type in offered}
