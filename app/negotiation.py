"""Which media type an answer has: what the client accepts against what a resource offers."""

from __future__ import annotations

from collections.abc import Sequence

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


def best(accept: Accept, offered: Sequence[str]) -> str | None:
    """The offered media type with the highest weight, the first of equals; None where none is acceptable.

    Who names problem documents alone says how he wants errors, and gets whatever there is besides.
    """
    first = max(offered, key=accept.quality)
    return first if accept.quality(first) > 0 or accept.names(PROBLEM) else None


def accepted(request: Request) -> Accept:
    """What the client accepts."""
    return Accept.parse(request.headers.get("Accept"))


def chosen(request: Request, offered: Sequence[str]) -> str | None:
    """As `best`, where a query parameter `f` (json, html, ttl) wins over the Accept header."""
    asked = SHORT_NAMES.get(request.args.get("f", ""))
    return asked if asked in offered else best(accepted(request), offered)
