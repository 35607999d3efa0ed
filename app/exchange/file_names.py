"""Names for files, by names that anybody may have chosen."""

from __future__ import annotations


def tame(name: str, otherwise: str = "_") -> str:
    """A name for a file: one segment, not hidden, not too long; the end of a long one, for its extension."""
    safe = "".join(letter if letter.isprintable() and letter not in "/\0" else "_" for letter in name)
    return safe.strip().lstrip(".").encode(errors="replace")[-200:].decode(errors="ignore") or otherwise


def last_segment(name: str) -> str:
    """What of a path of any system is the name of the file: old browsers send all of it."""
    return name.replace("\\", "/").rpartition("/")[2]
