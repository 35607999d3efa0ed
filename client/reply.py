"""Answers, as they come from a server or from the application itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from geomill.client.errors import ServiceError

Json = dict[str, Any]
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Reply:
    """An answer. headers: by names in lower case; chunks: the body, read once; url: where it came from."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    url: str

    @property
    def media_type(self) -> str:
        """With its parameters; nothing when it has none."""
        return self.headers.get("content-type", "")

    def body(self) -> bytes:
        """All of the body."""
        return b"".join(self.chunks)

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


def origin(url: str) -> tuple[str, str, int | None]:
    """Whose a URL is: scheme, host and port. Raises ServiceError when it is none. RFC 6454"""
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme)
    except ValueError as error:
        raise ServiceError(f"{url}: is no address: {error}") from error


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
