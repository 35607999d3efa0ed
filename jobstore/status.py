"""The five states of a job, the table of moves between them, and what can go wrong at the store's door."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import StatusInfo


class Status(StrEnum):
    """State of a job, in the standard's words. Source: statusCode.yaml."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    DISMISSED = "dismissed"

    @property
    def final(self) -> bool:
        """Whether a job in this state stays in it."""
        return not MOVES[self]


MOVES: dict[Status, frozenset[Status]] = {
    Status.ACCEPTED: frozenset({Status.RUNNING, Status.DISMISSED, Status.FAILED}),
    Status.RUNNING: frozenset({Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED}),
    Status.SUCCESSFUL: frozenset(),
    Status.FAILED: frozenset(),
    Status.DISMISSED: frozenset(),
}


class NoSuchJob(LookupError):
    """No job has this id, or it was removed: NoSuchJob(job_id)."""

    def __str__(self) -> str:
        return f"There is no job {self.args[0]!r}; it may have been removed."


class InvalidTransition(Exception):
    """The table of moves does not lead there; `current` is what the winner of the race wrote."""

    def __init__(self, current: StatusInfo, to: Status) -> None:
        super().__init__(f"job {current.job_id} is {current.status.value} and cannot become {to.value}")
        self.current = current


class GivenGone(LookupError):
    """A file that a job was to be given was removed this moment: GivenGone(name)."""

    def __str__(self) -> str:
        return f"The file {self.args[0]} that the request names was removed this moment."


class JobCorrupt(ValueError):
    """A file of the job cannot be read, or is not what it was: JobCorrupt(job_id, what is wrong with which file)."""

    def __str__(self) -> str:
        return f"Job {self.args[0]}: {self.args[1]}."


class StatusChanged(Exception):
    """The job is no longer in the state that the caller named."""


class ResultNotReady(Exception):
    """The job has not finished; its results may still come."""


class ResultNotAvailable(Exception):
    """The job has ended, and there are no results to be had."""


AGE, DISK = "age", "disk"  # why a job expires
_WHY = {AGE: "it had ended longer ago than jobs are kept", DISK: "the disk was nearly full"}


class JobExpired(Exception):
    """What was asked for went when the job expired; only its status is left: JobExpired(status_info)."""

    def __init__(self, status_info: StatusInfo) -> None:
        self.status_info = status_info
        self.why = _WHY.get(status_info.expired_for or "", "it was to make room")
        when = f"on {status_info.expired:%Y-%m-%d %H:%M:%S} UTC" if status_info.expired else "before"
        gone = "its results, logs and request are gone, its status stays"
        super().__init__(f"Job {status_info.job_id} expired {when}, for {self.why}: {gone}.")


class NoSuchOutput(LookupError):
    """The process has no output with this id."""


class JobFailed(Exception):
    """Results were asked for and the job had failed; `status_info` says why."""

    def __init__(self, status_info: StatusInfo) -> None:
        super().__init__(status_info.message or "the job failed")
        self.status_info = status_info


class BadCursor(ValueError):
    """A list was to be continued at a place that this store never named."""


class QueueFull(Exception):
    """As many jobs wait as may wait; `retry_after` in seconds."""

    def __init__(self, limit: int, retry_after: int = 30) -> None:
        super().__init__(f"{limit} jobs are waiting already; try again in about {retry_after} s")
        self.retry_after = retry_after


class TooManyJobs(Exception):
    """As many jobs of one caller wait as may wait; `retry_after` in seconds."""

    def __init__(self, limit: int, retry_after: int = 30) -> None:
        super().__init__(f"{limit} of your jobs are waiting already; try again in about {retry_after} s")
        self.retry_after = retry_after


class StoreBusy(Exception):
    """A lock that is held for milliseconds was not to be had for seconds, or the index; `retry_after` in seconds."""

    retry_after = 1


class UnderMaintenance(Exception):
    """The operator takes nothing new for now; UnderMaintenance(message), `retry_after` in seconds."""

    retry_after = 60

    def __str__(self) -> str:
        words = "The server is under maintenance: it accepts nothing new; jobs that run go on."
        return " ".join(filter(None, (words, self.args[0])))


class StoreFull(Exception):
    """Too little disk space or too few inodes are left to accept a job."""


class IdempotencyConflict(Exception):
    """The Idempotency-Key was used before, with another request."""
