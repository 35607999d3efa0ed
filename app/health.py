"""Is the server well? The dispatcher, the room on the disk, maintenance: what stands against a job, in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from geomill.app.config import Settings
from geomill.app.engine.client import Engine
from geomill.app.engine.runtime import ELECTION
from geomill.jobstore import files, maintenance
from geomill.jobstore.admission import free
from geomill.jobstore.maintenance import Maintenance

_OF_DISPATCHER = {
    "answers": (),
    "silent": ("The dispatcher does not answer: accepted jobs wait, running ones go on.",),
    "absent": ("No dispatcher is there: accepted jobs wait. A server that runs starts one within seconds.",),
}
PATIENCE = 0.5  # seconds for the dispatcher, which answers in less than one thousandth


@dataclass(frozen=True)
class Health:
    """state: of the dispatcher, "answers", "silent" (there, but stuck) or "absent"; said: what it told of itself.

    space, inodes: left where jobs are kept, sys.maxsize for a file system that does not count.
    """

    state: str
    space: int
    inodes: int
    said: dict[str, Any] = field(default_factory=dict)
    maintenance: Maintenance | None = None
    troubles: list[str] = field(default_factory=list)


def look(settings: Settings, engine: Engine) -> Health:
    """How the server is at this moment."""
    said = engine.ask({"op": "hello"}, PATIENCE)
    held = said is None and files.is_locked(settings.runtime_dir / ELECTION)
    state = "answers" if said else "silent" if held else "absent"
    space, inodes = free(settings.home)
    troubles = [*_OF_DISPATCHER[state], *_of_disk(settings, space, inodes)]
    return Health(state, space, inodes, said or {}, maintenance.read(settings.home), troubles)


def short_of_room(settings: Settings, space: int, inodes: int) -> str:
    """Why no job is accepted with so many bytes and inodes free; "" where one is."""
    for name, found in (("min_free_bytes", space), ("min_free_inodes", inodes)):
        if found < getattr(settings, name):
            return f"below {name}: no job is accepted"
    return ""


def _of_disk(settings: Settings, space: int, inodes: int) -> list[str]:
    short = short_of_room(settings, space, inodes)
    return [f"The disk with the jobs is nearly full, {short}."] if short else []
