"""Addresses inside documents, seen from where the document lies."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

SCHEMES = ("http", "https", "s3")  # of what is fetched; s3 names an object by its bucket and key
S3 = "s3://"


def joined(base: str, href: str) -> str:
    """An address as a document says it, absolute. Raises ValueError for what is none."""
    if not base.startswith(S3) or urlsplit(href).scheme:
        return urljoin(base, href)
    # whose keys are taken for paths, which urllib does for the schemes that it knows
    return S3 + urljoin(f"http://{base.removeprefix(S3)}", href).partition("://")[2]


def beside(document: str, href: Any) -> str | None:
    """A relative address in a document as a path from the root of both; None for what leads elsewhere.

    document: its own path from there.
    """
    try:
        if not isinstance(href, str) or urlsplit(href).scheme or href.startswith("/") or "\0" in unquote(href):
            return None
    except ValueError:  # "//[" is no address
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document), unquote(href)))
    return None if path.startswith("..") else path
