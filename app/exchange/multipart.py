"""Several outputs in one body: multipart/related.

Sources: RFC 2387; OGC 18-062r2, /req/core/process-execute-sync-raw-value-multi and -raw-mixed-multi.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from .media_types import essence


@dataclass(frozen=True)
class Part:
    """One output. location: where it is, when it is given by reference and `body` is empty."""

    content_id: str
    media_type: str
    body: bytes = b""
    location: str | None = None


def join(parts: Sequence[Part]) -> tuple[str, bytes]:
    """The media type of the whole, with its boundary, and the body; it begins with the boundary line."""
    boundary = f"part-{secrets.token_hex(16)}"
    lines: list[bytes] = []
    for part in parts:
        # an id may hold anything, a header may not
        headers = [f"Content-Type: {part.media_type}", f"Content-ID: {quote(part.content_id, safe=' /:+,@()[]')}"]
        if part.location is not None:
            headers.append(f"Content-Location: {part.location}")
        lines += [f"--{boundary}".encode(), "\r\n".join(headers).encode(), b"", part.body]
    lines += [f"--{boundary}--".encode(), b""]
    return f'multipart/related; boundary="{boundary}"; type="{essence(parts[0].media_type)}"', b"\r\n".join(lines)
