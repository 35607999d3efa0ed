"""The addresses a server answers at: / and /ogc-api, below a public URL, with stray slashes forgiven."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/ogc-api"
RECEIVED_HOST = "geomill.received_host"  # in the environ: the Host header as it came, whatever replaced it since
_HOST = re.compile(r"([\w.~-]+|\[[0-9a-fA-F:.]+\])(:\d{0,5})?", re.ASCII)  # RFC 3986, 3.2.2, without what no server has


class Addresses:
    """WSGI middleware: moves the prefix a client used into SCRIPT_NAME, so that every link keeps it."""

    def __init__(self, application: WSGIApplication, public_url: str | None) -> None:
        """public_url: what links start with, whatever the Host header says; None: where the request came to."""
        self.application = application
        self.public = urlsplit(public_url.rstrip("/")) if public_url else None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        environ[RECEIVED_HOST] = environ.get("werkzeug.proxy_fix.orig", environ).get("HTTP_HOST") or ""
        if self.public:
            environ["wsgi.url_scheme"], environ["HTTP_HOST"] = self.public.scheme, self.public.netloc
            environ["SCRIPT_NAME"] = self.public.path
        elif not is_host(environ.get("HTTP_HOST", "")):  # no link can begin with it
            environ.pop("HTTP_HOST", None)
        path = tidy(environ.get("PATH_INFO", ""))
        if path == PREFIX or path.startswith(PREFIX + "/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "").rstrip("/") + PREFIX
            path = path.removeprefix(PREFIX)
        environ["PATH_INFO"] = path or "/"
        return self.application(environ, start_response)


def is_host(header: str) -> bool:
    """Whether this is what a Host header may be: a name or address, perhaps with a port. RFC 9112, 3.2"""
    return _HOST.fullmatch(header) is not None


def tidy(path: str) -> str:
    """A path without doubled and trailing slashes: //processes/ is /processes."""
    return re.sub("/+", "/", path).rstrip("/")
