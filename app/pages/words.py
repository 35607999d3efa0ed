"""Figures as people read them: times, durations, sizes, ids. Pure."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from geomill.app.exchange.wording import number as number

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_ROUGHLY = (  # the name of a unit and its seconds; below how many seconds it is used, and in steps of how many
    ("second", 1, 55, 10), ("minute", 60, 570, 1), ("minute", 60, 3450, 5), ("minute", 60, 6300, 15),
    ("hour", 3600, 129600, 1),
)  # fmt: skip
MEDIA = {
    "application/vnd.oai.openapi+json": "OpenAPI", "application/json": "JSON", "application/geo+json": "GeoJSON",
    "application/ld+json": "JSON-LD", "application/xml": "XML", "text/xml": "XML", "text/html": "page",
    "text/plain": "text", "text/csv": "CSV", "application/pdf": "PDF", "application/zip": "zip archive",
    "image/tiff": "TIFF", "image/png": "PNG", "image/jpeg": "JPEG", "image/svg+xml": "SVG", "image/webp": "WebP",
    "application/netcdf": "NetCDF", "application/x-netcdf": "NetCDF", "application/x-hdf5": "HDF5",
    "application/vnd.apache.parquet": "Parquet", "application/geopackage+sqlite3": "GeoPackage",
    "application/octet-stream": "bytes", "application/cwl": "CWL", "application/cwl+yaml": "CWL",
}  # fmt: skip
_ADDRESS, _STEP = re.compile(r"""(https?://[^\s"']+)"""), re.compile(r"(?<=\w/)(?=\w)")
_LONG = 20_000  # characters of what nobody reads to its end
STATES = {  # the standard's word, and what it means to who waits
    "accepted": "waits for its turn",
    "running": "is being worked on",
    "successful": "has its results",
    "failed": "ended without results",
    "dismissed": "was ended by somebody",
}


def size(count: float | None) -> str:
    """Bytes: "2.7 MB", "96 MB"."""
    if count is None:
        return ""
    number, unit = float(count), 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    digits = 1 if unit and number < 9.95 else 0
    return f"{number:.{digits}f} {_UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """A length of time: "192 ms", "2.1 s", "25 s", "1 min 24 s", "2 d 3 h"."""
    if seconds is None:
        return ""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for name, length, lesser, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {name}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"


def roughly(seconds: float) -> str:
    """A length of time that nobody knows well: "a few seconds", "20 seconds", "1 minute", "3 hours"."""
    if seconds < 8:
        return "a few seconds"
    for name, length, limit, step in _ROUGHLY:
        if seconds < limit:
            count = max(1, round(seconds / length / step)) * step
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{round(seconds / 86400)} days"


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


def breakable(name: str) -> Markup:
    """A name of several parts as HTML, which breaks between them where there is no room for all of it."""
    text = str(escape(name))
    for mark in "_./:":
        text = text.replace(mark, f"{mark}<wbr>")
    return Markup(text)  # noqa: S704  it is escaped


def media(media_type: str) -> str:
    """What people call a media type; the type itself where they have no word for it."""
    kind, _, parameters = media_type.lower().partition(";")
    if kind.strip() == "image/tiff" and "geotiff" in parameters:
        return "GeoTIFF (cloud optimised)" if "cloud-optimized" in parameters else "GeoTIFF"
    return MEDIA.get(kind.strip(), media_type)


def breakable_addresses(text: str) -> Markup:
    """A text whose addresses may go on in another line: after a slash, not in a word."""
    parts = _ADDRESS.split(text) if len(text) < _LONG else [text]
    wide = Markup("<wbr>")
    return Markup("").join(wide.join(_STEP.split(part)) if number % 2 else part for number, part in enumerate(parts))


def paragraphs(text: str) -> list[Markup]:
    """The paragraphs of a text, whose lines may have been broken anywhere, as HTML."""
    return [prose(" ".join(each.split())) for each in re.split(r"\n\s*\n", text) if each.strip()]


def prose(text: str) -> Markup:
    """A text in which `code` stands between backticks, as HTML; nothing else of it is."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one is left over
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if number % 2 else part for number, part in enumerate(parts))
