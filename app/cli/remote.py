"""A service over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3

from geomill.app.cli.service import Body, Reply, Service, ServiceError

CHUNK = 1 << 16  # bytes
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0  # a synchronous job may take this long to answer


class Remote(Service):
    """A service somewhere: ours or anybody's."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """url: of the landing page, http or https. token: shown to that server, to none that it leads to."""
        super().__init__(url)
        self._token = token
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ServiceError(f"{url}: expected an http or https address")
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        # a request is never sent twice, for the first may have started a job
        retries = urllib3.Retry(total=None, connect=0, read=0, other=0, status=0, redirect=5, raise_on_status=False)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=retries)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Reply:
        """One request over the network, following redirects."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise ServiceError(f"{url}: not fetched, only http and https links are")
        if self._token and _origin(url) == _origin(self.url):
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        try:
            whole: Any = body  # which says too little of what has `read`
            reply = self._pool.request(method, url, headers=dict(headers), body=whole, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise ServiceError(f"{url}: cannot be reached: {_cause(error)}") from error
        sent = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(reply.status, sent, _chunks(reply, url), url)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _chunks(reply: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
    try:
        yield from reply.stream(CHUNK, decode_content=True)
    except urllib3.exceptions.HTTPError as error:
        raise ServiceError(f"{url}: broke off: {_cause(error)}") from error
    finally:
        reply.release_conn()


def _cause(error: BaseException) -> str:
    """The innermost reason, without the objects that urllib3 names."""
    while isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    cause = error.__cause__ or error.__context__
    if isinstance(error, urllib3.exceptions.NewConnectionError) and isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(error).rsplit(": ", 1)[-1] or type(error).__name__
