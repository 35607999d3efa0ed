"""Names for files, by names that anybody may have chosen."""

from __future__ import annotations

from urllib.parse import quote


def tame(name: str, otherwise: str = "_") -> str:
    """A name for a file: one segment, not hidden, not too long; the end of a long one, for its extension."""
    safe = "".join(letter if letter.isprintable() and letter not in "/\0" else "_" for letter in name)
    return safe.strip().lstrip(".").encode(errors="replace")[-200:].decode(errors="ignore") or otherwise


def last_segment(name: str) -> str:
    """What of a path of any system is the name of the file: old browsers send all of it."""
    return name.replace("\\", "/").rpartition("/")[2]


def attachment(name: str) -> str:
    """What Content-Disposition says of a file that is to be kept under this name. RFC 6266"""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in name)
    in_full = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f"attachment; filename={plain}{in_full}"


def of_job(process_id: str, job_id: str, *parts: str) -> str:
    """The name of a zip of what came of a job, or of a part of it: as people call the job."""
    return tame("-".join((process_id, job_id[-8:], *parts)) + ".zip")
