"""The addresses a server answers at: /, /ogc-api, /<tenant>/ogc-api, below a public URL, stray slashes forgiven."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geomill.app.tenant_names import DEFAULT, OF_VIEWS, is_name

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/ogc-api"
TENANT = "geomill.tenant"  # in the environ: the tenant that the address names, if it can be one or not
RECEIVED_HOST = "geomill.received_host"  # in the environ: the Host header as it came, whatever replaced it since
# RFC 3986, 3.2.2, without what no server has; labels as in RFC 1035, 2.3.4, longer ones break whoever encodes them
_HOST = re.compile(r"([\w~-]{1,63}(\.[\w~-]{1,63})*\.?|\[[0-9a-fA-F:.]+\])(:\d{0,5})?", re.ASCII)
_WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#]*)")
_PREFIXED = re.compile(rf"(?:/(?P<tenant>[^/]+))?{PREFIX}(?P<path>/.*)?")
# where other servers keep the logs of a job's steps, and so clients look for them
_STEP_LOG = re.compile(r"(?:/(?P<tenant>[^/]+))?/temp/[^/]+-(?P<job>[0-9a-f-]{36})/(?P<name>[^/]+\.log)")


class Addresses:
    """WSGI middleware: moves the prefix a client used into SCRIPT_NAME, so that every link keeps it."""

    def __init__(self, application: WSGIApplication, public_url: str | None) -> None:
        """public_url: what links start with, whatever the Host header says; None: where the request came to."""
        self.application = application
        self.public = urlsplit(public_url.rstrip("/")) if public_url else None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        environ[RECEIVED_HOST] = environ.get("werkzeug.proxy_fix.orig", environ).get("HTTP_HOST") or ""
        if whole := _WHOLE.match(environ.get("RAW_URI", "")):  # its host is what counts. RFC 9112, 3.2.2
            environ[RECEIVED_HOST] = environ["HTTP_HOST"] = whole["host"]
        if self.public:
            environ["wsgi.url_scheme"], environ["HTTP_HOST"] = self.public.scheme, self.public.netloc
            environ["SCRIPT_NAME"] = self.public.path
        elif not is_host(environ.get("HTTP_HOST", "")):  # no link can begin with it
            environ.pop("HTTP_HOST", None)
        environ[TENANT], prefix, path = resolve(tidy(environ.get("PATH_INFO", "")))
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "").rstrip("/") + prefix
        environ["PATH_INFO"] = path
        return self.application(environ, start_response)


def resolve(path: str) -> tuple[str, str, str]:
    """(tenant, the prefix that links keep, path of a view) of a tidy path.

    What cannot be the name of a tenant is given as one, for an error to name it, and is no prefix.
    """
    found = _STEP_LOG.fullmatch(path) or _PREFIXED.fullmatch(path)
    if found is None or found["tenant"] in OF_VIEWS:
        return DEFAULT, "", path or "/"
    tenant = found["tenant"] or DEFAULT
    if not is_name(tenant):
        return tenant.encode("latin-1").decode(errors="replace"), "", path  # as PEP 3333 gives bytes
    parts = found.groupdict()
    prefix = path[: found.end("tenant")] if found["tenant"] else ""
    if "job" in parts:
        return tenant, prefix and prefix + PREFIX, f"/jobs/{parts['job']}/logs/{parts['name']}"
    return tenant, prefix + PREFIX, parts["path"] or "/"


def of_tenant(url: str, tenant: str) -> str:
    """The landing page of a tenant, below that of a server, or where that is one of this tenant already.

    Raises ValueError when it is another's.
    """
    root = url.rstrip("/")
    named = root.removesuffix(PREFIX).rpartition("/")[2] if root.endswith(PREFIX) else ""
    if named == tenant:
        return root
    if is_name(named) and urlsplit(root).path != PREFIX:
        raise ValueError(f"{url} is the address of tenant {named!r}, not of {tenant!r}")
    return f"{root.removesuffix(PREFIX)}/{tenant}{PREFIX}"


def is_host(header: str) -> bool:
    """Whether this is what a Host header may be: a name or address, perhaps with a port. RFC 9112, 3.2"""
    return _HOST.fullmatch(header) is not None


def tidy(path: str) -> str:
    """A path without doubled and trailing slashes: //processes/ is /processes."""
    return re.sub("/+", "/", path).rstrip("/")
