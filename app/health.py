"""Is the server well? The dispatcher, the room on the disk, maintenance: what stands against a job, in sentences."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from geomill.app.config import Settings
from geomill.app.engine.client import Engine
from geomill.app.engine.runtime import ELECTION
from geomill.app.tenancy import Tenants
from geomill.jobstore import UnderMaintenance, files, maintenance
from geomill.jobstore.admission import free
from geomill.jobstore.alive import boot_id
from geomill.jobstore.maintenance import Maintenance

_OF_DISPATCHER = {
    "answers": (),
    "silent": ("The dispatcher does not answer: accepted jobs wait, running ones go on.",),
    "absent": ("No dispatcher is there: accepted jobs wait. A server that runs starts one within seconds.",),
}
CHECKS = ("home", "disk", "dispatcher", "index", "maintenance")
FRESH = 1.0  # seconds for which what was found is told again: anybody may ask, and often
STUCK = 2.0  # seconds after which a look that does not come to an end is one at a disk that does not answer
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


class Readiness:
    """Whether a job would be accepted and started now; one looks, however many ask at once."""

    def __init__(self, settings: Settings, tenants: Tenants) -> None:
        self.settings, self.tenants = settings, tenants
        self._lock = threading.Lock()
        self._found: dict[str, str] = {}
        self._until = 0.0

    def checks(self) -> dict[str, str]:
        """By the names in CHECKS: what stands against it in a sentence, "" for nothing."""
        if not self._lock.acquire(timeout=STUCK):
            return dict.fromkeys(CHECKS, "") | {"home": "Somebody looks at it, and comes to no end."}
        try:
            if time.monotonic() >= self._until:
                self._found = dict.fromkeys(CHECKS, "") | self._look()
                self._until = time.monotonic() + FRESH
            return self._found
        finally:
            self._lock.release()

    def _look(self) -> dict[str, str]:
        settings = self.settings
        try:
            if not self.tenants.default.jobs.is_there():
                return {"home": "The home is not there: its disk may be gone."}
            found = look(settings, self.tenants.default.engine)
            read_only = os.statvfs(settings.home).f_flag & os.ST_RDONLY
            return {
                "home": "The disk with the jobs is read-only." if read_only else "",
                "disk": " ".join(_of_disk(settings, found.space, found.inodes)),
                "dispatcher": " ".join(_OF_DISPATCHER[found.state]),
                "index": self._of_index(),
                "maintenance": str(UnderMaintenance(found.maintenance.message)) if found.maintenance else "",
            }
        except OSError as error:
            return {"home": f"The disk with the jobs cannot be used: {error.strerror}."}

    def _of_index(self) -> str:
        unsound = [store.tenant for store in self.tenants.stores() if not store.index.sound(boot_id())]
        more = f" and {len(unsound) - 3} more" if len(unsound) > 3 else ""
        of = ", ".join(unsound[:3]) + more
        return f"The index of jobs is not to be believed, and made anew soon: of tenant {of}." if unsound else ""


def _of_disk(settings: Settings, space: int, inodes: int) -> list[str]:
    short = short_of_room(settings, space, inodes)
    return [f"The disk with the jobs is nearly full, {short}."] if short else []
