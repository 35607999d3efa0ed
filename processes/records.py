"""What a process is to those who list it and run it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
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


class NotKnownYet(Exception):
    """Nobody knows whether a process has this id: a file could not be described, for want of something of the host."""

    retry_after = 5

    def __str__(self) -> str:
        why = "a process file could not be described, as this host had too few processes or too little memory"
        return f"Whether there is a process {self.args[0]!r} is not known yet: {why}. It is tried again soon."


class CorruptProcess(Exception):
    """What was kept of a process cannot be read: CorruptProcess(id, what is wrong)."""

    def __str__(self) -> str:
        return f"Process {self.args[0]!r} cannot be used: {self.args[1]}."
# what an author and a client call a limit, and the member of Limits that it is
LIMITS = {
    "time_limit": "seconds",
    "cpu_limit": "cpu_seconds",
    "memory": "memory_limit",
    "max_processes": "processes",
    "max_files": "files",
    "max_work": "work",
    "max_work_files": "work_files",
    "max_output": "output",
}


@dataclass(frozen=True)
class Limits:
    """What a job may use, as in the job store; 0 is as much as there is."""

    seconds: float = 86400.0
    grace: float = 2.0
    cpus: float = 1.0
    memory: int = 0
    max_running: int | None = None
    cpu_seconds: float = 0.0
    memory_limit: int = 0
    processes: int = 0
    files: int = 0
    work: int = 0
    work_files: int = 0
    output: int = 0
    network: str = "proxy"

    def lowered(self, asked: Mapping[str, float | None]) -> Limits:
        """These limits, each as low as it is or as asked, by name; None and 0 ask nothing."""
        found = dict(vars(self))
        for name, number in asked.items():
            found[name] = min(filter(None, (found[name], number)), default=0)
        found["memory"] = min(found["memory"], found["memory_limit"] or found["memory"])
        return Limits(**found)


@dataclass(frozen=True, eq=False)  # each is itself alone: the same again is the same object
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
