"""How the index is walked: newest first, whatever is asked for.

A table's index that begins with a state, after a process or an owner, has the jobs of that state in the order of a
list, and in it all that a list asks about. A list is the merger of such walks, one for each state: nothing is sorted,
nothing is looked up in the table, and each walk ends with the page. They go by these indexes by name: where an earlier
version made others, it is made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from .status import Status

_MOST_WALKS = 100  # that are merged; SQLite takes 500

Value = float | str
Condition = tuple[str, tuple[Value, ...]]  # in SQL, and the values for its parameters
Row = tuple[float, str]  # when a job was created, and its id


@dataclass(frozen=True)
class Filters:
    """Which jobs a list shows. Durations in seconds, bounds inclusive; owner: None for everybody.

    cause, cause_not: what they failed of, and what they did not, if they failed at all; None for whatever it is.

    Source: /req/job-list, 1.0 and 2.0.
    """

    process_ids: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    min_duration: float | None = None
    max_duration: float | None = None
    types: tuple[str, ...] = ()
    owner: str | None = None
    cause: str | None = None
    cause_not: str | None = None

    @property
    def by_state(self) -> bool:
        """Whether a job comes and goes with its state, which may have changed this moment."""
        asked = (self.min_duration, self.max_duration, self.cause, self.cause_not)
        return bool(self.statuses) or any(each is not None for each in asked)


def newest(
    filters: Filters, columns: str = "created, id", *, after: Row | None = None, now: float = 0.0
) -> tuple[str, list[Value]]:
    """A query for rows of jobs, newest first, and its parameters but for the last: how many.

    columns: `created` and `id` among them; after: a row that they are older than; now: seconds, when those that run
    have run for so long.
    """
    parts: list[str] = []
    values: list[Value] = []
    for index, conditions in _walks(filters, after, now):
        where = " AND ".join(text for text, _ in conditions)
        parts.append(f"SELECT {columns} FROM jobs INDEXED BY {index} WHERE {where}")  # noqa: S608  all of it is ours
        values += [each for _, given in conditions for each in given]
    return " UNION ALL ".join(parts) + " ORDER BY created DESC, id DESC LIMIT ?", values


def _walks(filters: Filters, after: Row | None, now: float) -> Iterator[tuple[str, list[Condition]]]:
    """The walks that are merged, each with the index that it goes by."""
    statuses = list(dict.fromkeys(filters.statuses or Status))
    processes = tuple(dict.fromkeys(filters.process_ids))
    rest = [*_bounds(filters, after), *_causes(filters)]
    whose: list[Condition] = [] if filters.owner is None else [("owner = ?", (filters.owner,))]
    index, starts = "newest_of_owner" if whose else "newest_of_state", [whose]
    if processes and (whose or len(processes) * len(statuses) > _MOST_WALKS):
        rest.append((f"process IN ({', '.join('?' * len(processes))})", processes))
    elif processes:
        index, starts = "newest_of_process", [[("process = ?", (each,))] for each in processes]
    for start in starts:
        for status in statuses:
            yield index, [*start, ("status = ?", (status.value,)), *rest, *_durations(filters, status, now)]


def _bounds(filters: Filters, after: Row | None) -> list[Condition]:
    """When they were created; one bound on each side, since a walk begins at one."""
    bounds: list[Condition] = []
    if filters.since:
        bounds.append(("created >= ?", (filters.since.timestamp(),)))
    until = filters.until.timestamp() if filters.until else None
    if after and (until is None or after[0] <= until):
        bounds.append(("(created, id) < (?, ?)", after))
    elif until is not None:
        bounds.append(("created <= ?", (until,)))
    return bounds


def _causes(filters: Filters) -> list[Condition]:
    asked = (("cause = ?", filters.cause), ("cause IS NOT ?", filters.cause_not))
    return [(text, (value,)) for text, value in asked if value is not None]


def _durations(filters: Filters, status: Status, now: float) -> list[Condition]:
    """How long they ran; what has not begun, or ended before it did, has not run for any time at all."""
    asked = ((">=", filters.min_duration), ("<=", filters.max_duration))
    end, given = ("?", (now,)) if status is Status.RUNNING else ("finished", ())
    return [(f"{end} - started {sign} ?", (*given, value)) for sign, value in asked if value is not None]
