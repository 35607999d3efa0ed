"""Addresses inside documents, seen from where the document lies."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

SCHEMES = ("http", "https", "s3")  # of what is fetched; s3 names an object by its bucket and key
S3 = "s3://"


def joined(base: str, href: str) -> str:
    """An address as a document says it, absolute. Raises ValueError for what is none."""
    if not base.startswith(S3) or urlsplit(href).scheme:
        return urljoin(base, href)
    # whose keys are taken for paths, which urllib does for the schemes that it knows
    return S3 + urljoin(f"http://{base.removeprefix(S3)}", href).partition("://")[2]
