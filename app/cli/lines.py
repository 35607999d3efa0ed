"""What a job gave, in lines."""

from __future__ import annotations

import json

from geomill.client import show
from geomill.client.outputs import Output

SHORT = 100  # characters of a value shown on one line


def line(output: Output, longest: int | None = SHORT) -> str:
    """An output in a line: its value, cut after so many characters, or where it is."""
    kind = f"  ({output.media_type})" if output.media_type else ""
    if output.path is not None:
        return f"{output.path}{kind}"
    if output.href is not None:
        return f"{output.href}{kind}"
    if output.content is not None:
        return f"{len(output.content)} bytes{kind}"
    text = output.value if isinstance(output.value, str) else json.dumps(output.value, ensure_ascii=False)
    whole = show.clean(text)
    if longest is None or len(whole) <= longest:
        return whole
    return f"{whole[:longest]} ...  (--output DIR saves it all)"
