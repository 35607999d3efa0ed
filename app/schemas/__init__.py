"""The documents of the standard: marshmallow, one class for each OGC schema of the same name."""

from geomill.app.schemas.core import (
    ConfClassesSchema,
    ExceptionSchema,
    LandingPageSchema,
    LinkSchema,
    ProblemTypeSchema,
    dump,
)
from geomill.app.schemas.execution import ExecuteSchema, JobInputsSchema, ResultsSchema
from geomill.app.schemas.jobs import JobListSchema, StatusInfoSchema
from geomill.app.schemas.processes import ProcessListSchema, ProcessSchema, ProcessSummarySchema
from geomill.app.schemas.queries import JobsQuery, LogsQuery, ProcessesQuery, ResultsQuery

__all__ = [
    "ConfClassesSchema",
    "ExceptionSchema",
    "ExecuteSchema",
    "JobInputsSchema",
    "JobListSchema",
    "JobsQuery",
    "LandingPageSchema",
    "LinkSchema",
    "LogsQuery",
    "ProblemTypeSchema",
    "ProcessListSchema",
    "ProcessSchema",
    "ProcessSummarySchema",
    "ProcessesQuery",
    "ResultsQuery",
    "ResultsSchema",
    "StatusInfoSchema",
    "dump",
]
