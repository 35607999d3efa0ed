"""Which waiting job starts next: round robin over owners, oldest first within one, as the host has room. Pure.

An owner is somebody of one tenant: the same name in another tenant is somebody else.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

Whose = tuple[str, str]  # tenant and owner


@dataclass(frozen=True)
class Demand:
    """What a job asks of the host. memory: bytes; max_running: jobs of the same process at a time."""

    job_id: str
    owner: str
    process_id: str
    cpus: float = 1.0
    memory: int = 0
    max_running: int | None = None
    tenant: str = "default"

    @property
    def whose(self) -> Whose:
        """Who is served with it."""
        return self.tenant, self.owner


@dataclass(frozen=True)
class Capacity:
    """What the host gives to all running jobs together."""

    max_running: int
    cpus: float
    memory: int


class FairQueue:
    """The waiting jobs. An owner who was just served goes to the end of the round."""

    def __init__(self) -> None:
        self._owners: OrderedDict[Whose, OrderedDict[str, Demand]] = OrderedDict()
        self._owner_of: dict[str, Whose] = {}

    def __len__(self) -> int:
        return len(self._owner_of)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._owner_of

    def add(self, demand: Demand) -> None:
        """Let a job wait; again is the same as once."""
        self._owners.setdefault(demand.whose, OrderedDict()).setdefault(demand.job_id, demand)
        self._owner_of[demand.job_id] = demand.whose

    def discard(self, job_id: str) -> None:
        """Let a job wait no longer."""
        owner = self._owner_of.pop(job_id, None)
        if owner is not None:
            del self._owners[owner][job_id]
            if not self._owners[owner]:
                del self._owners[owner]

    def next(self, running: Iterable[Demand], capacity: Capacity) -> Demand | None:
        """Take the job that starts now, or None.

        A job too large for what is free holds back those behind it, so that small ones cannot starve it; one whose
        process has its own limit reached is passed over.
        """
        now = list(running)
        if len(now) >= capacity.max_running:
            return None
        processes = Counter(demand.process_id for demand in now)
        for owner, waiting in self._owners.items():
            for demand in waiting.values():
                if demand.max_running is not None and processes[demand.process_id] >= demand.max_running:
                    continue
                if now and not _fits(demand, now, capacity):
                    return None
                self.discard(demand.job_id)
                if owner in self._owners:
                    self._owners.move_to_end(owner)
                return demand
        return None

    def place(self, job_id: str) -> int | None:
        """How many starts until this job's, itself included, if nothing changes; None when it does not wait."""
        owner = self._owner_of.get(job_id)
        if owner is None:
            return None
        rank = list(self._owners[owner]).index(job_id)
        turn = list(self._owners).index(owner)
        return 1 + sum(
            min(len(waiting), rank + (position < turn)) if name != owner else rank
            for position, (name, waiting) in enumerate(self._owners.items())
        )


def _fits(demand: Demand, running: list[Demand], capacity: Capacity) -> bool:
    cpus = sum(other.cpus for other in running) + demand.cpus
    memory = sum(other.memory for other in running) + demand.memory
    return cpus <= capacity.cpus and memory <= capacity.memory
