"""Answers, as they come from a server or from the application itself."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from geomill.client.errors import InputError, ServiceError, Unreachable
from geomill.client.show import size

Json = dict[str, Any]
PORTS = {"http": 80, "https": 443}


class Bound(NamedTuple):
    """What is read of a body that is held in memory: bytes, and seconds."""

    size: int
    seconds: float


DOCUMENT, CONTENT = Bound(64 << 20, 120.0), Bound(256 << 20, 600.0)  # the latter for results and logs


@dataclass(frozen=True)
class Reply:
    """An answer. headers: by names in lower case; chunks: the body, read once; url: where it came from.

    seconds: that the body may take at most.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    url: str
    seconds: float = math.inf

    @property
    def rest(self) -> float | None:
        """Seconds after which the server wants to be asked again; None where it says nothing that can be read."""
        after = self.headers.get("retry-after", "")
        if after.isascii() and after.isdigit():
            return float(after)
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            return None

    @property
    def media_type(self) -> str:
        """With its parameters; nothing when it has none."""
        return self.headers.get("content-type", "")

    def body(self, most: Bound = DOCUMENT) -> bytes:
        """All of the body. Raises ServiceError when it has more than it may, or takes longer."""
        pieces, length, seconds = [], 0, min(self.seconds, most.seconds)
        end = time.monotonic() + seconds
        try:
            for piece in self.chunks:
                pieces.append(piece)
                length += len(piece)
                if length > most.size:
                    raise ServiceError(f"{self.url}: the answer has more than {size(most.size)}, which is not read")
                if time.monotonic() > end:
                    raise Unreachable(f"{self.url}: the answer was not over after {seconds:g} s")
        finally:  # what is left of it is nobody's
            getattr(self.chunks, "close", lambda: None)()
        return b"".join(pieces)

    def object(self) -> Json:
        """The body, a JSON object. Raises ServiceError."""
        document = parsed(self.body())
        if document is None:
            kind = self.media_type or "no media type"
            raise ServiceError(f"{self.url}: expected JSON, found {kind}; is it an OGC API - Processes server?")
        if not isinstance(document, dict):
            raise ServiceError(f"{self.url}: expected a JSON object")
        return document

    def checked(self) -> Reply:
        """Itself, if it is no error. Raises ServiceError with what the problem document says."""
        if self.status < 400:
            return self
        problem = parsed(self.body())
        if not isinstance(problem, dict):
            raise ServiceError(f"{self.url}: answered {self.status}", self.status)
        type, detail = _text(problem.get("type")), _text(problem.get("detail") or problem.get("description"))
        title = _text(problem.get("title") or problem.get("code")) or (type or "").rsplit("/", 1)[-1]
        said = [part for part in (title, detail) if part]
        if detail and " " in detail:  # a sentence says it all
            said = [detail]
        told = ": ".join(dict.fromkeys(said)) or f"{self.url}: answered {self.status}"
        raise ServiceError(told, self.status, type, title or None, detail)


def parsed(body: bytes) -> Any:
    """What a body says in JSON, None if that is not what it is."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def joined(url: str, href: str) -> str:
    """A link as it stands in what came from a URL; one that is no address stays so, as whoever follows it is told."""
    try:
        return urljoin(url, href)
    except ValueError:
        return href


def landing_page(url: str) -> str:
    """The address of a server, without what no request has at its end: a fragment, slashes. Raises InputError."""
    if not isinstance(url, str):
        raise InputError(f"expected the address of a server, a text, found {type(url).__qualname__}")
    try:
        parts = urlsplit(url)
        known = parts.scheme in PORTS and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if "@" in (parts.netloc if known else url):  # which is said of no address that may have a password
        raise InputError("the address has the name of a user, or a password: leave it out, and give a token")
    if not known:
        raise InputError(f"{url}: expected an http or https address")
    bare = parts._replace(query="", fragment="").geturl().rstrip("/")
    if parts.query:
        raise InputError(f"{bare}: expected this without a query (?...)")
    return bare


def origin(url: str) -> tuple[str, str, int | None]:
    """Whose a URL is: scheme, host and port. Raises ServiceError when it is none. RFC 6454"""
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme)
    except ValueError as error:
        raise ServiceError(f"{url}: is no address: {error}") from error


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
