"""The states of a job as ArcGIS calls them, and its id. Pure.

Source: Esri, "GP job" (REST API).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from werkzeug.routing import BaseConverter

from geomill.jobstore import Status, StatusInfo

PREFIX = "esriJob"
SUBMITTED, EXECUTING, CANCELLING = "esriJobSubmitted", "esriJobExecuting", "esriJobCancelling"
CANCELLED, FAILED, TIMED_OUT, SUCCEEDED = (
    *("esriJobCancelled", "esriJobFailed"),
    *("esriJobTimedOut", "esriJobSucceeded"),
)
TIME_LIMIT = "time-limit"  # the cause of those that timed out
# those that a query may name; a job that waits here is one that was submitted
STATES: dict[str, tuple[Status, ...]] = {
    "New": (),
    "Waiting": (),
    "Submitted": (Status.ACCEPTED,),
    "Executing": (Status.RUNNING,),
    "Cancelling": (Status.RUNNING,),
    "Succeeded": (Status.SUCCESSFUL,),
    "Failed": (Status.FAILED,),
    "TimedOut": (Status.FAILED,),
    "Cancelled": (Status.DISMISSED,),
}
_ENDS = {Status.ACCEPTED: SUBMITTED, Status.SUCCESSFUL: SUCCEEDED, Status.DISMISSED: CANCELLED}
_ID = re.compile("j([0-9a-f]{32})", re.ASCII)


def state(info: StatusInfo) -> str:
    """Where a job stands."""
    if info.status is Status.RUNNING:
        return CANCELLING if info.dismissing else EXECUTING
    if info.status is Status.FAILED:
        return TIMED_OUT if info.cause == TIME_LIMIT else FAILED
    return _ENDS[info.status]


def milliseconds(moment: datetime | None) -> int | None:
    """A time as ArcGIS writes it: since 1970."""
    return None if moment is None else round(moment.timestamp() * 1000)


def esri_id(job_id: str) -> str:
    """The id of a job here: a letter, then the hexadecimal digits of its UUID. What is no id stays as it is."""
    bare = job_id.replace("-", "")
    return f"j{bare}" if len(job_id) == 36 and len(bare) == 32 else job_id


class JobId(BaseConverter):
    """In addresses the id that a job has here, for views its own; what is none stays as it is, and is not found."""

    def to_python(self, value: str) -> str:
        """The id of the job."""
        found = _ID.fullmatch(value)
        return str(UUID(found[1])) if found else value

    def to_url(self, value: Any) -> str:
        """The id that it has here."""
        return super().to_url(esri_id(str(value)))
