"""What a process is to those who list it and run it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class NoSuchProcess(LookupError):
    """No process has this id: NoSuchProcess(id), or NoSuchProcess(id, the ids that there are)."""

    def __init__(self, process_id: str, known: Sequence[str] = ()) -> None:
        super().__init__(process_id)
        self.process_id, self.known = process_id, known

    def __str__(self) -> str:
        nearest = difflib.get_close_matches(self.process_id, self.known, n=1)
        meant = f" Did you mean {nearest[0]!r}?" if nearest else ""
        return f"There is no process {self.process_id!r}.{meant}"


@dataclass(frozen=True)
class Limits:
    """What a job may use: seconds of time, seconds to end in, processors, bytes of memory (0: any), jobs at a time."""

    seconds: float = 86400.0
    grace: float = 2.0
    cpus: float = 1.0
    memory: int = 0
    max_running: int | None = None


@dataclass(frozen=True)
class Process:
    """Something that can run: a description, and where its code is kept.

    package: the digest of its content; described: the file beside the content that this was read from;
    function: what of the content is run; runner: how, a key of app.runners, or one that this server has not.
    """

    id: str
    version: str
    description: dict[str, Any]
    package: str
    described: str
    path: Path
    folder: Path
    function: str
    template: str | None
    interpreter: str | None
    mutable: bool
    limits: Limits
    runner: str = "python"
