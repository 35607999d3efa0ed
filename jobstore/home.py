"""The mark of a home: which format it has, and which host serves it.

    <home>/home.json   {"format", "host", "boot", "name"}; its time is that of the last beat of who serves it

A home is for one host at a time, whose locks and processes no other can see. Without a mark a home has the first format
and no host: so has a copy from which the mark was taken.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import files

MARK = "home.json"
FORMAT = 1
MIGRATIONS: dict[int, Callable[[Path], None]] = {}  # format -> makes the next one of a home, and may be run again
BEAT_EVERY = 10.0  # seconds
SILENT = 60.0  # seconds without a beat after which a host serves a home no more


class UnusableHome(Exception):
    """A home that this host, or this version, must not touch; one sentence."""


class HomeGone(OSError):
    """The home was there and is not: its disk was unmounted, or somebody removed it."""

    def __init__(self, home: Path) -> None:
        super().__init__("the folder of the jobs is not there")
        self.home = home


@dataclass(frozen=True)
class Mark:
    """What a home says of itself. host: names a machine; boot: one of its boots; name: for people."""

    format: int = 1
    host: str = ""
    boot: str = ""
    name: str = ""


def claim(home: Path, boot: str) -> None:
    """Take a home for this host, and bring it to this version's format. boot: of this host. Raises UnusableHome."""
    found, ours = read(home), Mark(FORMAT, host(), boot, platform.node())
    if found.format > FORMAT:
        raise UnusableHome(f"{home} has format {found.format}, of a newer version; this one knows {FORMAT} at most")
    if found.host not in ("", ours.host) and found.boot != ours.boot:
        age = _age(home)
        if abs(age) < SILENT:
            left = f"try again in {SILENT - age:.0f} s, or remove {home / MARK} if that host is gone"
            raise UnusableHome(f"{home} is served by the host {found.name}: {left}")
    for number in range(found.format, FORMAT):
        MIGRATIONS[number](home)
    if found != ours:
        try:
            files.write_json(home / MARK, asdict(ours), durable=True)
            files.sync(home)
        except OSError as error:
            if error.errno != errno.EROFS:  # where nobody can write anything, it can be read
                raise


def read(home: Path) -> Mark:
    """The mark of a home; the first format's without one. Raises UnusableHome for one that is torn."""
    try:
        said: Any = files.read_json(home / MARK)
        if not isinstance(said, dict):
            raise ValueError("it is no object")
        known = {name: said[name] for name in asdict(Mark()) if name in said}
        if [type(value) for value in known.values()] != [type(getattr(Mark(), name)) for name in known]:
            raise ValueError("a member is of another type")
        return Mark(**known)
    except FileNotFoundError:
        return Mark()
    except (ValueError, TypeError) as error:
        raise UnusableHome(f"{home / MARK} is torn; remove it if this version was the last to use the home") from error


def beat(home: Path, boot: str, *, now: bool = False) -> bool:
    """Say that this host serves a home; False when another has taken it. Raises OSError where that cannot be said."""
    if not now and 0 <= time.time() - (home / MARK).stat().st_mtime < BEAT_EVERY:
        return True
    mark = read(home)
    if mark.host not in ("", host()) and mark.boot != boot:
        return False
    try:
        os.utime(home / MARK)
    except OSError as error:
        error.filename = str(home / MARK)  # which utime does not say
        raise
    return True


def leave(home: Path) -> None:
    """Say that nobody serves a home any more."""
    with suppress(OSError):
        os.utime(home / MARK, (0, 0))


def host() -> str:
    """Names this machine whatever boot it is in; containers of one host are told by their boot."""
    try:
        said = Path("/etc/machine-id").read_text().strip()
    except OSError:
        said = ""
    return hashlib.sha256(f"geomill {said or platform.node()}".encode()).hexdigest()[:16]


def _age(home: Path) -> float:
    """Seconds since the last beat, by the clock of the disk, which may be another host's."""
    try:
        with tempfile.NamedTemporaryFile(dir=home, prefix=".clock-") as now:
            return os.fstat(now.fileno()).st_mtime - (home / MARK).stat().st_mtime
    except FileNotFoundError:
        return SILENT
