"""Answers of server-sent events, read as browsers do. Source: HTML, 9.2.6"""

from __future__ import annotations

import json
from typing import Any


def read(text: str) -> tuple[list[tuple[str, Any]], str]:
    """The events of an answer, by kind and content, and the id to go on from."""
    found, last = [], ""
    for block in text.split("\n\n"):
        members = dict(line.split(": ", 1) for line in block.split("\n") if line)
        last = members.get("id", last)
        if "data" in members:
            found.append((members["event"], json.loads(members["data"])))
    return found, last
