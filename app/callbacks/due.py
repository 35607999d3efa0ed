"""What is to be told next of a job, and when: of its status and of what was tried before. Nothing is read or sent."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from geomill.jobstore import Status, StatusInfo
from geomill.jobstore.records import timestamp

IN_PROGRESS, SUCCESS, FAILED = "inProgress", "success", "failed"
URIS = {IN_PROGRESS: "inProgressUri", SUCCESS: "successUri", FAILED: "failedUri"}
DELIVERED, AGAIN, GIVEN_UP = "delivered", "failed", "given-up"
LONGEST_PAUSE = 3600.0  # seconds between two attempts; they begin with one second, and each is twice the one before
BETWEEN_REPORTS = 5.0  # seconds at least from one report of progress to the next
LONGEST_MESSAGE = 300  # characters
GONE = 410  # how a receiver says that it wants to hear no more. RFC 9110, 15.5.11

Lines = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Delivery:
    """One thing to be told. id: the same at every attempt; since: when it happened."""

    id: str
    event: str
    uri: str
    since: datetime

    @property
    def last(self) -> bool:
        """Whether nothing more is told of the job after it."""
        return self.event != IN_PROGRESS


@dataclass(frozen=True)
class Attempt:
    """One try. status: what the receiver answered, None where it did not; message: what was wrong."""

    delivery: Delivery
    time: datetime
    outcome: str
    status: int | None = None
    message: str = ""

    @property
    def line(self) -> dict[str, Any]:
        """As it stands in the log of the job."""
        told: dict[str, Any] = {"id": self.delivery.id, "event": self.delivery.event, "time": timestamp(self.time)}
        told |= {"outcome": self.outcome, "status": self.status, "message": self.message}
        return {name: value for name, value in told.items() if value not in (None, "")}


def delivery(info: StatusInfo, subscriber: Mapping[str, str]) -> Delivery | None:
    """What there is to tell of a job as it stands now; None where nobody wants to hear that.

    A dismissed job has not succeeded: that is told where a failure would be.
    """
    if info.status is Status.ACCEPTED or (info.status is Status.RUNNING and info.dismissing):
        return None
    since = (info.finished if info.status.final else info.updated) or info.created
    event = IN_PROGRESS
    if info.status.final:
        event = SUCCESS if info.status is Status.SUCCESSFUL else FAILED
    uri = subscriber.get(URIS[event])
    name = str(int(since.timestamp() * 1000)) if event == IN_PROGRESS else event
    return Delivery(f"{info.job_id}-{name}", event, uri, since) if uri else None


def when(told: Delivery, lines: Lines, now: float) -> float | None:
    """When to try, in seconds since 1970, as now; None where that is done. lines: the log of the job."""
    tried = _of(told, lines)
    if any(line.get("outcome") in (DELIVERED, GIVEN_UP) for line in tried):
        return None
    if tried:
        return _moment(tried[-1], now) + pause(told.id, len(tried))
    if not told.last and (reports := [line for line in lines if line.get("event") == IN_PROGRESS]):
        return _moment(reports[-1], now) + BETWEEN_REPORTS
    return min(told.since.timestamp(), now)


def pause(delivery_id: str, tries: int) -> float:
    """Seconds to wait after so many failed attempts; not quite the same for all, so that they do not come together."""
    spread = 0.9 + zlib.crc32(delivery_id.encode()) % 200 / 1000
    return float(min(2.0 ** min(tries - 1, 20), LONGEST_PAUSE) * spread)


def judged(
    told: Delivery, now: datetime, lines: Lines, patience: float, status: int | None, message: str
) -> Attempt:
    """What comes of a try. lines: the log of the job before it; patience: seconds from the first try to the last."""
    if status is not None and 200 <= status < 300:
        return Attempt(told, now, DELIVERED, status)
    tried = _of(told, lines)
    first = _moment(tried[0], now.timestamp()) if tried else now.timestamp()
    over = status == GONE or now.timestamp() + pause(told.id, len(tried) + 1) > first + patience
    return Attempt(told, now, GIVEN_UP if over else AGAIN, status, message[:LONGEST_MESSAGE])


def _of(told: Delivery, lines: Lines) -> list[Mapping[str, Any]]:
    return [line for line in lines if line.get("id") == told.id]


def _moment(line: Mapping[str, Any], now: float) -> float:
    """When an attempt was; a clock may have been set back since."""
    try:
        return min(datetime.fromisoformat(str(line.get("time"))).timestamp(), now)
    except (ValueError, OverflowError):
        return 0.0
