"""Where jobs live: a folder of JSON files for each, a state machine, and a derived index.

Standard library and filelock only; knows no HTTP. The one door to a status is `JobStore`.
"""

from .admission import Admission
from .listing import Page
from .records import Job, Limits, Result, StatusInfo
from .status import (
    BadCursor,
    GivenGone,
    IdempotencyConflict,
    InvalidTransition,
    JobCorrupt,
    JobExpired,
    JobFailed,
    NoSuchJob,
    NoSuchOutput,
    QueueFull,
    ResultNotAvailable,
    ResultNotReady,
    Status,
    StatusChanged,
    StoreBusy,
    StoreFull,
    TooManyJobs,
    UnderMaintenance,
)
from .store import JobStore
from .walks import Filters

__all__ = [
    "Admission",
    "BadCursor",
    "Filters",
    "GivenGone",
    "IdempotencyConflict",
    "InvalidTransition",
    "Job",
    "JobCorrupt",
    "JobExpired",
    "JobFailed",
    "JobStore",
    "Limits",
    "NoSuchJob",
    "NoSuchOutput",
    "Page",
    "QueueFull",
    "Result",
    "ResultNotAvailable",
    "ResultNotReady",
    "Status",
    "StatusChanged",
    "StatusInfo",
    "StoreBusy",
    "StoreFull",
    "TooManyJobs",
    "UnderMaintenance",
]
