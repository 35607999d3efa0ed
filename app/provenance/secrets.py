"""What opens doors, cut out of texts that are passed on: signatures and tokens in addresses, and where the home is."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

Json = Any

_URL = re.compile(r"\bhttps?://[^\s\"'<>\\]+", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/?#@\s]*@")
# the parameters by which S3, GCS, Azure, CloudFront and their like, and most APIs, let a holder in
_SECRET = re.compile(
    r"signature|credential|token|secret|passw|auth|session|policy|jwt|(api|access|private)[-_]?key|key[-_]?pair"
    r"|(?:^|[-_])(sig|key|pwd|sas)$",
    re.IGNORECASE,
)


def cut(text: str, home: str = "") -> str:
    """A text without the secrets of the addresses in it. home: a path that is left out, too."""
    text = _URL.sub(lambda found: _address(found[0]), text)
    return text.replace(home, "") if home else text


def cut_all(value: Json, home: str = "") -> Json:
    """A JSON value, every string of it cut."""
    if isinstance(value, str):
        return cut(value, home)
    if isinstance(value, list):
        return [cut_all(item, home) for item in value]
    if isinstance(value, dict):
        return {name: cut_all(item, home) for name, item in value.items()}
    return value


def _address(url: str) -> str:
    if "?" not in url and "@" not in url and "#" not in url:
        return url
    begin, question, rest = _USER.sub("", url).partition("?")
    query, hash_, fragment = rest.partition("#")
    parts = [part for part in re.split("[&;]", query) if not _SECRET.search(unquote_plus(part.partition("=")[0]))]
    return begin + (question if parts else "") + "&".join(parts) + hash_ + fragment
