"""What each move makes of a status, by the table and the clock; nothing is read or written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from . import records, torn
from .records import StatusInfo
from .status import MOVES, InvalidTransition, Status, StatusChanged


def check_match(info: StatusInfo, match: str | None) -> None:
    """Raise StatusChanged where somebody means another state of the job. match: the etag of that, None for any."""
    if match is not None and info.etag != match:
        raise StatusChanged(f"job {info.job_id} is {info.status.value} now")


def moved(info: StatusInfo, to: Status, changes: Mapping[str, Any]) -> StatusInfo:
    """The next status; dismissed for a job that ends while it is being dismissed. Raises InvalidTransition.

    changes: other members of StatusInfo.
    """
    if to not in MOVES[info.status]:
        raise InvalidTransition(info, to)
    if info.dismissing and to.final and to is not Status.DISMISSED:
        to, changes = Status.DISMISSED, {"message": "dismissed"}
    moment = _moment(info)
    members = {"finished": moment if to.final else None, **changes}
    if "started" in members:
        members["started"] = max(members["started"], info.created)
    return replace(info, status=to, updated=moment, **members)


def reported(info: StatusInfo, progress: int | None, message: str | None) -> StatusInfo:
    """How far a running job is; the same for one that is not running, or not for long."""
    if info.status is not Status.RUNNING or info.dismissing:
        return info
    return replace(info, progress=progress, message=message, updated=_moment(info))


def asked_to_end(info: StatusInfo) -> StatusInfo:
    """An accepted job dismissed, a running one marked, any other as it is."""
    moment = _moment(info)
    if info.status is Status.ACCEPTED:
        return replace(
            info, status=Status.DISMISSED, updated=moment, finished=moment, message="dismissed before it began"
        )
    if info.status is Status.RUNNING and not info.dismissing:
        return replace(info, dismissing=True, updated=moment, message="being dismissed")
    return info


def may_expire(info: StatusInfo) -> bool:
    """Whether a job may be given up: it has ended, nobody pinned it, and nobody has to look at what a disk tore."""
    return info.status.final and not info.pinned and info.cause != torn.CORRUPT


def expired(info: StatusInfo, why: str) -> StatusInfo:
    """A job of which all but this is given up. why: AGE or DISK."""
    return replace(info, expired=records.now(), expired_for=why, updated=_moment(info))


def _moment(info: StatusInfo) -> datetime:
    """The time, but never before what a job has seen already: a clock may be set back."""
    return max(records.now(), info.updated or info.created)
