"""Figures as people read them: times, durations, sizes, ids. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
MEDIA = {
    "application/vnd.oai.openapi+json": "OpenAPI", "application/json": "JSON", "application/geo+json": "GeoJSON",
    "application/ld+json": "JSON-LD", "application/xml": "XML", "text/xml": "XML", "text/html": "page",
    "text/plain": "text", "text/csv": "CSV", "application/pdf": "PDF", "application/zip": "zip archive",
    "image/tiff": "TIFF", "image/png": "PNG", "image/jpeg": "JPEG", "image/svg+xml": "SVG", "image/webp": "WebP",
    "application/netcdf": "NetCDF", "application/x-netcdf": "NetCDF", "application/x-hdf5": "HDF5",
    "application/vnd.apache.parquet": "Parquet", "application/geopackage+sqlite3": "GeoPackage",
    "application/octet-stream": "bytes", "application/cwl": "CWL", "application/cwl+yaml": "CWL",
}  # fmt: skip
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


_TURNS: dict[
    int | str, tuple[str, str]
] = {  # whose, what to try: by the kind of an error, or its status
    "immutable-process": ("Nobody's turn", "It is a part of the server. Deploy one of another name."),
    "foreign-origin": ("Your turn", "Open the page anew from this server itself, and try again there."),
    "changes-refused": ("The operator's turn", "A server on a network needs tokens: geomill token create makes them."),
    "job-expired": ("Nobody's turn", "What is left of the job is its status. Run it again to have its results."),
    401: ("Your turn", "Log in, or ask who runs the server for a token."),
    403: ("Somebody else's turn", "Log in as somebody with the right to it, or ask who runs the server."),
    404: ("It is not here", "The link may be old, or somebody has removed what it led to."),
    500: ("The server's turn", "What you did is not wrong: who runs the server finds the reason in its log."),
}
_TURNS |= {410: _TURNS[404], 504: _TURNS[500]}


def turn(status: int, kind: str = "", retry_after: int | None = None) -> tuple[str, str]:
    """After an error: whose turn it is, and what to try. kind: the last part of its type; retry_after: in seconds."""
    if status in (429, 503, 507):
        when = f"in {duration(retry_after)}" if retry_after else "in a while"
        return "The server's turn", f"What you did is not wrong. Try again {when}, or tell who runs the server."
    known = _TURNS.get(kind) or _TURNS.get(status)
    return known or ("Your turn", "Change what is named here, and send it again.")


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
    return first if len(first) <= most else first[:most].rpartition(" ")[0] + "\u00a0..."  # not on a line by itself


def media(media_type: str) -> str:
    """What people call a media type; the type itself where they have no word for it."""
    kind, _, parameters = media_type.lower().partition(";")
    if kind.strip() == "image/tiff" and "geotiff" in parameters:
        return "cloud-optimized GeoTIFF" if "cloud-optimized" in parameters else "GeoTIFF"
    return MEDIA.get(kind.strip(), media_type)


def prose(text: str) -> Markup:
    """A text in which `code` stands between backticks, as HTML; nothing else of it is."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one is left over
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if number % 2 else part for number, part in enumerate(parts))
