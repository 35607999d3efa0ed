"""A service over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import urllib3

from geomill.client.errors import ServiceError, Unreachable
from geomill.client.reply import Reply, origin
from geomill.client.service import Body, Service

CHUNK = 1 << 16  # bytes
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0  # a synchronous job may take this long to answer
THREADS = 8  # that may use a service at once without a new connection for each request
AGAIN = 2  # times that a request is sent again, where that is safe
LONGEST_REST = 10.0  # seconds that a server may ask for before that
KEY = "Idempotency-Key"


class Remote(Service):
    """A service somewhere: ours or anybody's."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """url: of the landing page, http or https. token: shown to that server, to none that it leads to."""
        super().__init__(url)
        if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):  # it becomes part of a header
            raise ServiceError("the token has spaces, or characters that no token has")
        self._token = token
        scheme, host, _ = origin(url)
        if scheme not in ("http", "https") or not host:
            raise ServiceError(f"{url}: expected an http or https address")
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=AGAIN_OR_NOT, maxsize=THREADS)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Reply:
        """One request over the network, following redirects; what only reads is sent again when it got no answer."""
        if origin(url)[0] not in ("http", "https"):
            raise ServiceError(f"{url}: not fetched, only http and https links are")
        if self._token and origin(url) == origin(self.url):
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        try:
            whole: Any = body  # which says too little of what has `read`
            reply = self._pool.request(method, url, headers=dict(headers), body=whole, preload_content=False)
        except urllib3.exceptions.LocationValueError as error:
            raise ServiceError(f"{url}: is no address: {_cause(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{url}: cannot be reached: {_cause(error)}") from error
        sent = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(reply.status, sent, _chunks(reply, url), urljoin(url, reply.geturl() or ""))

    def submit(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send an execution; once more after a broken connection, where the API says that this executes nothing twice.

        Such a server gives the key that a request has to its job, and answers with that job again.
        """
        headers = {**headers, KEY: str(uuid4())}
        for left in reversed(range(AGAIN + 1)):
            try:
                reply = self.send("POST", url, headers, body)
                return replace(reply, chunks=iter([reply.body()]))
            except Unreachable:
                if not left or not self._knows_keys():
                    raise
        raise AssertionError("the last one is answered or raises")

    def _knows_keys(self) -> bool:
        """Whether the definition of the API lists the header among the parameters of an execution."""
        definition = self.landing("service-desc")
        if definition is None or not self._is_ours(definition):
            return False
        try:
            paths = self._asked("GET", definition, {"Accept": ACCEPT_DEFINITION}).object()["paths"]
            (found,) = [paths[path]["post"]["parameters"] for path in paths if re.fullmatch(EXECUTION, path)]
            return any(KEY.lower() == str(each.get("name")).lower() for each in found if each.get("in") == "header")
        except (ServiceError, LookupError, TypeError, ValueError, AttributeError):
            return False


EXECUTION = r"(.*/)?processes/\{[^/]+\}/execution"
ACCEPT_DEFINITION = "application/vnd.oai.openapi+json;version=3.0, application/json;q=0.9"


class _Again(urllib3.Retry):
    """When a request is sent once more: it never left, or it only reads and got no answer; and where it is sent to."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Whether an answer says that another may come; called by urllib3."""
        return method == "GET" and (status_code == 502 or (status_code in (429, 503) and has_retry_after))

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        """Seconds; called by urllib3, which would wait for as long as any server likes."""
        try:
            seconds = super().get_retry_after(response)
        except urllib3.exceptions.InvalidHeader:
            return None
        return seconds and min(seconds, LONGEST_REST)


AGAIN_OR_NOT = _Again(
    total=None, connect=1, read=AGAIN, status=AGAIN, other=0, redirect=5,
    allowed_methods={"GET"}, backoff_factor=0.1, raise_on_status=False,
)  # fmt: skip


def _chunks(reply: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
    try:
        yield from reply.stream(CHUNK, decode_content=True)
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(f"{url}: broke off: {_cause(error)}") from error
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
