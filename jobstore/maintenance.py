"""Maintenance: a mark in the home. While it is there nothing new is taken, and no waiting job starts.

It is a file, so that every worker, the dispatcher and the commands know at once, whoever was started when; and it
lies in the home and not in the runtime directory, so that it is there after the host was started again.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from . import files
from .records import now, timestamp
from .status import UnderMaintenance

MARK = "maintenance"  # in the home
LONGEST = 500  # characters of a message


@dataclass(frozen=True)
class Maintenance:
    """since: when it began; message: what people are told, "" for nothing in particular."""

    since: str
    message: str = ""


def on(home: Path) -> bool:
    """Whether nothing new is to begin in this home; one look at a name."""
    return os.path.lexists(home / MARK)


def read(home: Path) -> Maintenance | None:
    """What is known about it, None where there is none. A mark that cannot be read is one all the same."""
    try:
        found = files.read_json(home / MARK)
        return Maintenance(timestamp(datetime.fromisoformat(found["since"])), str(found["message"])[:LONGEST])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return Maintenance(timestamp(now()))


def check(home: Path) -> None:
    """Raise UnderMaintenance where nothing new is taken."""
    if on(home):
        raise UnderMaintenance(getattr(read(home), "message", ""))


def begin(home: Path, message: str | None = None) -> Maintenance:
    """Take nothing new from now on; again: with another message, if there is one. On disk when this returns."""
    known = read(home)
    told = (known.message if known else "") if message is None else message[:LONGEST]
    mark = Maintenance(known.since if known else timestamp(now()), told)
    files.write_json(home / MARK, asdict(mark), durable=True)
    files.sync(home)
    return mark


def end(home: Path) -> bool:
    """Be open again; whether it was not."""
    try:
        os.unlink(home / MARK)
    except FileNotFoundError:
        return False
    files.sync(home)
    return True
