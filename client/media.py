"""What kind of content a file has."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path

BYTES = "application/octet-stream"
VAGUE = (BYTES, "text/plain")  # which say too little to gainsay a process
SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"II*\0": "image/tiff", b"MM\0*": "image/tiff", b"II+\0": "image/tiff", b"MM\0+": "image/tiff",  # and BigTIFF
}  # fmt: skip


def type_of(content: bytes, path: Path | None = None) -> str | None:
    """The media type of content by its first bytes, else by the name of its file; None where neither tells."""
    signed = next((kind for start, kind in SIGNATURES.items() if content.startswith(start)), None)
    return signed or (mimetypes.guess_type(path)[0] if path else None)


def fitting(kind: str | None, declared: Sequence[str]) -> str | None:
    """The media type to send content with: of the declared ones the one that its own is, or is a form of, else its own.

    A profile, as of `image/tiff; application=geotiff`, and a kind of a format, as `application/geo+json`, are forms.
    """
    if kind in declared or not declared:
        return kind
    subtype = (kind or "").partition("/")[2].removeprefix("x-")
    for each in declared:
        if each == BYTES or subtype and subtype in each.partition(";")[0].lower():
            return each
    return declared[0] if kind in (None, *VAGUE) else kind
