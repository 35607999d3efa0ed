"""Figures as people read them: times, durations, sizes, ids. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
STATES = {  # the standard's word, and what it means to who waits
    "accepted": "waits for its turn",
    "running": "is being worked on",
    "successful": "has its results",
    "failed": "ended without results",
    "dismissed": "was ended by somebody",
}


def size(count: float | None) -> str:
    """Bytes: "2.7 MB"."""
    if count is None:
        return ""
    number, unit = float(count), 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    digits = 0 if unit == 0 or number >= 100 else 1
    return f"{number:.{digits}f} {_UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """A length of time: "1 min 24 s", "0.8 s", "2 d 3 h"."""
    if seconds is None:
        return ""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for name, length, lesser, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {name}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"


def instant(time: datetime | str | None) -> datetime | None:
    """A time of a document, as a time."""
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def exact(time: datetime | str | None) -> str:
    """A time to the second, in UTC: "2026-01-31 12:00:00 UTC"."""
    moment = instant(time)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def ago(time: datetime | str | None, now: datetime | None = None) -> str:
    """How long since, or until: "3 min ago", "in 2 d"."""
    moment = instant(time)
    if moment is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    name, length = next(each for each in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)) if abs(seconds) >= each[1])
    count = int(abs(seconds) // length)
    return f"{count} {name} ago" if seconds > 0 else f"in {count} {name}"


def turn(status: int) -> str:
    """After an error: whose turn it is, and what to try. status: of the answer."""
    if status in (401, 403):
        return "It is for somebody with the right to it: log in as one, or ask who runs this server."
    if status in (404, 410):
        return "Look for it where you came from: the link may be old, or somebody has removed what it led to."
    if status in (429, 503, 507):
        return "Nothing is wrong with what you did; the server cannot do it at this moment. Try again in a minute."
    if status >= 500:
        return "It is the server's turn: who runs it finds the reason in its log."
    return "It is your turn: change what it names, and send it again."


def short(job_id: str) -> str:
    """A job's id, shortened to the part that tells it from its neighbours."""
    return job_id[-8:]


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def lines(text: str) -> list[str]:
    """The lines of a text that say something."""
    return [line for line in text.splitlines() if line.strip()]


def brief(text: str, most: int = 140) -> str:
    """The first paragraph of a text, cut between words."""
    first = " ".join(text.strip().partition("\n\n")[0].split())
    return first if len(first) <= most else first[:most].rpartition(" ")[0] + " ..."


def media(media_type: str) -> str:
    """What people call a media type."""
    short = {"application/json": "JSON", "text/html": "page", "text/plain": "text"}
    return "OpenAPI" if media_type.startswith("application/vnd.oai.openapi") else short.get(media_type, media_type)
