"""A service over HTTP."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import urllib3

from geomill.client.causes import cause
from geomill.client.errors import InputError, ServiceError, Unreachable
from geomill.client.proxies import Ways
from geomill.client.reply import CONTENT, Reply, joined, landing_page, origin
from geomill.client.service import Body, Service

CHUNK = 1 << 16  # bytes
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0  # a synchronous job may take this long to answer
THREADS = 8  # that may use a service at once without a new connection for each request
AGAIN = 2  # times that a request is sent again, where that is safe
PAUSE, LONGEST_REST = 0.1, 10.0  # seconds before that; and those that a server may ask for
REDIRECTS = 5
SHORTEST = 0.01  # seconds that is waited for an answer when the time is over
KEY = "Idempotency-Key"


class Remote(Service):
    """A service somewhere: ours or anybody's."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """url: of the landing page, http or https. token: shown to that server, to none that it leads to."""
        super().__init__(landing_page(url))
        if token is not None and not isinstance(token, str):
            raise InputError(f"the token: expected a text, found {type(token).__qualname__}")
        if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):  # it becomes part of a header
            raise InputError("the token has spaces, or characters that no token has")
        self._token = token
        self._ways = Ways(maxsize=THREADS)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None, within: float | None = None
    ) -> Reply:
        """One request over the network, following redirects; what only reads is sent again when it got no answer."""
        for left in reversed(range(1 if within or method != "GET" else 1 + AGAIN)):
            found, answer = self._followed(method, url, headers, body, within)
            sent = {name.lower(): value for name, value in answer.headers.items()}
            reply = Reply(answer.status, sent, _chunks(answer, found), found, within or math.inf)
            if not left or not _may_change(reply):
                return reply
            answer.close()
            time.sleep(PAUSE if reply.rest is None else min(reply.rest, LONGEST_REST))
        raise AssertionError("the last one is given back")

    def _followed(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None, within: float | None
    ) -> tuple[str, urllib3.BaseHTTPResponse]:
        """An answer that leads nowhere else, and whose it is."""
        end = math.inf if within is None else time.monotonic() + within
        for _ in range(1 + REDIRECTS):
            left = None if within is None else max(SHORTEST, end - time.monotonic())
            answer = self._answer(method, url, headers, body, left)
            if not (location := answer.get_redirect_location()):
                return url, answer
            answer.close()  # whatever its body has
            url = joined(url, location)
            if answer.status == 303:  # RFC 9110, 15.4.4
                method, body = "GET", None
                headers = {name: value for name, value in headers.items() if not name.startswith("Content-")}
            elif (seek := getattr(body, "seek", None)) is not None:
                seek(0)
        raise ServiceError(f"{url}: is not asked, after {REDIRECTS} redirects")

    def _answer(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None, within: float | None
    ) -> urllib3.BaseHTTPResponse:
        if origin(url)[0] not in ("http", "https"):
            raise ServiceError(f"{url}: not fetched, only http and https links are")
        if self._token and origin(url) == origin(self.url):
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        seconds = (CONNECT_SECONDS, READ_SECONDS) if within is None else (min(CONNECT_SECONDS, within), within)
        try:
            whole: Any = body  # which says too little of what has `read`
            return self._ways.to(url).request(
                method, url, headers=dict(headers), body=whole, preload_content=False, redirect=False,
                retries=ONCE if within else AGAIN_OR_NOT, timeout=urllib3.Timeout(connect=seconds[0], read=seconds[1]),
            )  # fmt: skip
        except ValueError as error:
            raise ServiceError(f"{url}: is no address: {cause(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{url}: cannot be reached: {cause(error)}") from error

    def submit(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send an execution; once more after a broken connection, where the API says that this executes nothing twice.

        Such a server gives the key that a request has to its job, and answers with that job again.
        """
        headers = {**headers, KEY: str(uuid4())}
        for left in reversed(range(AGAIN + 1)):
            try:
                reply = self.send("POST", url, headers, body)
                return replace(reply, chunks=iter([reply.body(CONTENT)]))
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


AGAIN_OR_NOT = urllib3.Retry(  # once more: what never left, or only reads and got no answer
    total=None, connect=1, read=AGAIN, status=0, other=0, allowed_methods={"GET"}, backoff_factor=PAUSE,
)  # fmt: skip
ONCE = urllib3.Retry(total=0)


def _may_change(reply: Reply) -> bool:
    """Whether an answer says that another may come."""
    return reply.status == 502 or (reply.status in (429, 503) and "retry-after" in reply.headers)


def _chunks(answer: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
    """The body as it comes, decoded: nobody waits for a piece to be full, and so forgets the time."""
    try:
        while chunk := answer.read1(CHUNK, decode_content=True):
            yield chunk
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(f"{url}: broke off: {cause(error)}") from error
    finally:
        answer.close()  # but for a connection whose answer is over, which has gone back by now
