"""Whether a job could begin at all: what says that it runs has to be written."""

from __future__ import annotations

import logging
from pathlib import Path

from geomill.app.loglines import Seldom
from geomill.jobstore.admission import free

BYTES, FILES = 1 << 20, 64  # that a job needs at least in order to begin
log = logging.getLogger(__name__)
_said = Seldom()


def has_room(home: Path) -> bool:
    """Whether there is that much on the home's disk; if not, the log says so."""
    space, inodes = free(home)
    if space >= BYTES and inodes >= FILES:
        return True
    _said.say(log, "no job begins: the disk of %s is full", home)
    return False
