"""What no web page and no foreign name may bring about, whoever asks: a loopback server serves this host alone."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Response, request
from werkzeug.exceptions import BadRequest

from geomill.app.addresses import RECEIVED_HOST, is_host
from geomill.app.asked import asked
from geomill.app.config import Settings

if TYPE_CHECKING:
    from geomill.app.server import Geomill

CHANGES = {"POST", "PUT", "PATCH", "DELETE"}
READS = {"GET", "HEAD"}
EXPOSED = "location, link, preference-applied, etag, next-offset, content-disposition, x-request-id"
# by no-referrer browsers would call the origin of a form of ours "null"
OURS_ALONE = {"Referrer-Policy": "same-origin"}
SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'", **OURS_ALONE}  # for what a user or a process wrote


def page_headers(settings: Settings) -> dict[str, str]:
    """For what our templates wrote: it loads what lies beside it, and the tiles of a map where there are some."""
    tiles = urlsplit(settings.tiles or "")
    images = f"'self' blob: {tiles.scheme}://{tiles.netloc}" if tiles.netloc else "'self' blob:"
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": images,
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return {"Content-Security-Policy": "; ".join(" ".join(each) for each in policy.items()), **OURS_ALONE}


class ForeignHost(Exception):
    """The Host header names another host than this one."""


class ForeignOrigin(Exception):
    """A web page of another site asks for a change."""


def init_app(app: Geomill) -> None:
    """Check every request before anything else, and say in every answer what web pages may read."""
    app.before_request(lambda: check(app.settings))
    app.after_request(add_headers)


def check(settings: Settings) -> None:
    """Raises BadRequest, ForeignHost or ForeignOrigin."""
    request = asked()
    host = request.environ[RECEIVED_HOST]
    if not host and request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("A request says which host it is for.")  # RFC 9112, 3.2
    if host and not is_host(host):
        raise BadRequest("The Host header is malformed; it must be a name or an address, perhaps with a port.")
    if host and not _is_for_us(host, settings.public_url) and _came_from_here(settings):
        raise ForeignHost(f"Host {host!r} is not a loopback name; set a public URL to serve under this name.")
    if request.method in CHANGES:
        _check_origin(settings)


def _check_origin(settings: Settings) -> None:
    """Let no page of another site change anything. Raises ForeignOrigin."""
    origin = request.headers.get("Origin")
    if origin is not None and origin not in own_origins(settings):
        raise ForeignOrigin(f"A page of {origin} may not change anything here.")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise ForeignOrigin("A page of another site may not change anything here.")


@lru_cache(maxsize=256)  # clients say the same again and again
def _is_for_us(host: str, public_url: str | None) -> bool:
    """Whether a Host header names this host itself, or what the public knows it as."""
    return is_loopback(host_name(host)) or host_name(host) == urlsplit(public_url or "").hostname


def refuse_foreign(settings: Settings) -> None:
    """Let a change pass only if a browser says that it comes from a page of ours. Raises ForeignOrigin."""
    if request.headers.get("Sec-Fetch-Site") == "same-origin" or request.headers.get("Origin") in own_origins(settings):
        return
    raise ForeignOrigin("With a session, changes come from pages of this server alone; other programs show a token.")


def is_local(settings: Settings) -> bool:
    """Whether the server serves this host alone, and the request came from it."""
    return for_this_host(settings) and _came_from_here(settings)


def for_this_host(settings: Settings) -> bool:
    """Whether nobody else is meant to reach the server: its address is loopback, and no proxy in front offers it."""
    public = urlsplit(settings.public_url or "").hostname
    return is_loopback(settings.host) and not settings.trust_proxy and (public is None or is_loopback(public))


def _came_from_here(settings: Settings) -> bool:
    return is_loopback(settings.host) and is_loopback(local_address(request.environ))


def own_origins(settings: Settings) -> set[str]:
    """The origins that pages of this server have: as the request came, and as the public sees them."""
    public = urlsplit(settings.public_url or "")
    return {f"{request.scheme}://{request.host}", f"{public.scheme}://{public.netloc}"}


def is_ours(settings: Settings, url: str) -> bool:
    """Whether a web address leads to this server, as far as it knows: by any name where it serves this host alone."""
    scheme, host, port = origin(url)
    known = {origin(f"{request.scheme}://{request.host}"), origin(settings.public_url or "")}
    if (scheme, host, port) in known:
        return True
    return for_this_host(settings) and is_loopback(host) and port in {each[2] for each in known}


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address. RFC 6454, 4"""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", "", None


def local_address(environ: dict[str, Any]) -> str:
    """The address of ours that the request came to, where the server tells; else a loopback one."""
    connection = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket) or connection.family == socket.AF_UNIX:
        return "127.0.0.1"
    return str(connection.getsockname()[0])


def host_name(host: str) -> str:
    """A Host header without its port; "" for one that is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=1024)  # several times a request, of the same few
def is_loopback(name: str) -> bool:
    """Whether a name or address is this host itself."""
    if f".{name.lower()}".removesuffix(".").endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def add_headers(response: Response) -> Response:
    """Any web page may read (CORS); nobody guesses a media type. /rec/core/cross-origin"""
    request = asked()
    if request.method in READS or request.headers.get("Access-Control-Request-Method") in READS:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
    if request.method == "OPTIONS":
        response.headers.remove("Content-Type")  # there is no content
        response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(READS))
        response.headers["Access-Control-Allow-Headers"] = "accept, authorization, prefer, if-none-match, range"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
