"""Which waiting job starts next: round robin over tenants and their owners, oldest first, as there is room. Pure.

An owner is somebody of one tenant: the same name in another tenant is somebody else.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Whose = tuple[str, str]  # tenant and owner
Turn = tuple[float, str]  # since when a job waits, and its id


@dataclass(frozen=True)
class Demand:
    """What a job asks of the host. memory: bytes; max_running: jobs of the same process at a time.

    template: the warm process that it starts from; again: its first supervisor went before it began.
    """

    job_id: str
    owner: str
    process_id: str
    cpus: float = 1.0
    memory: int = 0
    max_running: int | None = None
    tenant: str = "default"
    template: str = "base"
    again: bool = False

    @property
    def whose(self) -> Whose:
        """Who is served with it."""
        return self.tenant, self.owner


@dataclass(frozen=True)
class Capacity:
    """What the host gives to all running jobs together. of_one_owner: jobs that run at a time; 0: as many as of all."""

    max_running: int
    cpus: float
    memory: int
    of_one_owner: int = 0


class Waiting:
    """The waiting jobs of one owner, the oldest first. Asking takes no longer of many.

    They are kept apart by process and its limit, too: all of a process are passed over at once.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._kinds: dict[tuple[str, int | None], list[Turn]] = {}

    def add(self, turn: Turn, demand: Demand) -> None:
        """Let a job wait behind those that are older: what came through two workers may be heard in either order."""
        insort(self.turns, turn)
        insort(self._kinds.setdefault((demand.process_id, demand.max_running), []), turn)

    def remove(self, turn: Turn, demand: Demand) -> None:
        """Let a job wait no longer."""
        kind = demand.process_id, demand.max_running
        for turns in (self.turns, self._kinds[kind]):
            del turns[bisect_left(turns, turn)]
        if not self._kinds[kind]:
            del self._kinds[kind]

    def rank(self, turn: Turn) -> int:
        """How many are older than this one."""
        return bisect_left(self.turns, turn)

    def first(self, running: Counter[str]) -> str | None:
        """The oldest of those whose process may have more of them running. running: how many, by process."""
        kinds = self._kinds.items()
        oldest = [turns[0] for (process, most), turns in kinds if most is None or running[process] < most]
        return min(oldest)[1] if oldest else None


class FairQueue:
    """The waiting jobs. Who was just served goes to the end of the round: the tenant, and in it the owner."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, OrderedDict[str, Waiting]] = OrderedDict()
        self._known: dict[str, tuple[Turn, Demand]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._known

    def add(self, demand: Demand, since: float = 0.0) -> None:
        """Let a job wait; again is the same as once. since: when it began to, by a clock that nobody sets."""
        if demand.job_id in self._known:
            return
        turn = since, demand.job_id
        self._known[demand.job_id] = turn, demand
        owners = self._tenants.setdefault(demand.tenant, OrderedDict())
        owners.setdefault(demand.owner, Waiting()).add(turn, demand)

    def discard(self, job_id: str) -> Demand | None:
        """Let a job wait no longer, if it does; what it asks for."""
        if job_id not in self._known:
            return None
        turn, demand = self._known.pop(job_id)
        owners = self._tenants[demand.tenant]
        owners[demand.owner].remove(turn, demand)
        if not owners[demand.owner].turns:
            del owners[demand.owner]
        if not owners:
            del self._tenants[demand.tenant]
        return demand

    def next(self, running: Iterable[Demand], capacity: Capacity) -> Demand | None:
        """Take the job that starts now, or None.

        A job too large for what is free holds back those behind it, so that small ones cannot starve it; one whose
        process or owner has reached a limit of its own is passed over.
        """
        now = list(running)
        if len(now) >= capacity.max_running:
            return None
        processes = Counter(demand.process_id for demand in now)
        for waiting in self._round(now, capacity):
            if (job_id := waiting.first(processes)) is None:
                continue
            _, demand = self._known[job_id]
            if now and not _fits(demand, now, capacity):
                return None
            self._serve(demand)
            return demand
        return None

    def place(self, job_id: str, running: Iterable[Demand], capacity: Capacity) -> int | None:
        """How many starts until this job's, itself included, if nothing changes; None when it does not wait.

        Who has as many running as he may is passed over, but for the job's own owner, one of whose has to end before.
        """
        if job_id not in self._known:
            return None
        turn, demand = self._known[job_id]
        whose = tenant, owner = demand.whose
        passed = _served(running, capacity) - {whose}
        waiting = {
            each: {name: 0 if (each, name) in passed else len(jobs.turns) for name, jobs in owners.items()}
            for each, owners in self._tenants.items()
        }
        rank = _ahead(self._tenants[tenant][owner].rank(turn), owner, waiting[tenant])
        return 1 + _ahead(rank, tenant, {each: sum(owners.values()) for each, owners in waiting.items()})

    def _round(self, running: list[Demand], capacity: Capacity) -> Iterator[Waiting]:
        """The waiting jobs of each owner who may have more of them running, in the order of the round."""
        passed = _served(running, capacity)
        for tenant, owners in self._tenants.items():
            for owner, waiting in owners.items():
                if (tenant, owner) not in passed:
                    yield waiting

    def _serve(self, demand: Demand) -> None:
        """Let a job wait no longer, and its owner until the others had their turns."""
        self.discard(demand.job_id)
        if demand.tenant in self._tenants:
            self._tenants.move_to_end(demand.tenant)
            if demand.owner in self._tenants[demand.tenant]:
                self._tenants[demand.tenant].move_to_end(demand.owner)


def _served(running: Iterable[Demand], capacity: Capacity) -> set[Whose]:
    """Who has as many jobs running as he may."""
    if not capacity.of_one_owner:
        return set()
    busy = Counter(demand.whose for demand in running)
    return {whose for whose, many in busy.items() if many >= capacity.of_one_owner}


def _ahead(rank: int, turn: str, waiting: Mapping[str, int]) -> int:
    """How many starts come before one. rank: before it of the same turn; turn: whose, in a round of so many each."""
    ahead = list(waiting).index(turn)
    others = (min(many, rank + (number < ahead)) for number, many in enumerate(waiting.values()) if number != ahead)
    return rank + sum(others)


def _fits(demand: Demand, running: list[Demand], capacity: Capacity) -> bool:
    cpus = sum(other.cpus for other in running) + demand.cpus
    memory = sum(other.memory for other in running) + demand.memory
    return cpus <= capacity.cpus and memory <= capacity.memory
