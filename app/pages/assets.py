"""What pages load: styles, scripts, icons, the libraries in static/vendor. Each address names its content for good."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from geomill.app import links

FOLDER = Path(__file__).parents[1] / "static"


@cache
def whole() -> str:
    """Names the content of all of them: modules import each other by relative addresses, so they change together."""
    every = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in every)).hexdigest()[:12]


def address(path: str) -> str:
    """Where an asset is. path: below static/."""
    return links.to("assets.show", version=whole(), path=path)
