"""Where jobs live: a folder of JSON files for each, a state machine, and a derived index.

Standard library and filelock only; knows no HTTP. The one door to a status is `JobStore`.
"""

from .records import Job, Limits, Result, StatusInfo
from .status import (
    BadCursor,
    IdempotencyConflict,
    InvalidTransition,
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
)
from .store import Admission, Filters, JobStore, Page

__all__ = [
    "Admission",
    "BadCursor",
    "Filters",
    "IdempotencyConflict",
    "InvalidTransition",
    "Job",
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
]
