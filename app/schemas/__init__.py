"""The documents of the standard: marshmallow, one class for each OGC schema of the same name."""

from geomill.app.schemas.admin import ServerStateSchema
from geomill.app.schemas.core import (
    ConfClassesSchema,
    ExceptionSchema,
    LandingPageSchema,
    LinkSchema,
    ProblemTypeSchema,
    dump,
)
from geomill.app.schemas.deployment import DryRunSchema, OgcPackageSchema, VersionsSchema
from geomill.app.schemas.execution import ExecuteSchema, JobInputsSchema, ResultsSchema
from geomill.app.schemas.health import HealthSchema, ReadinessSchema
from geomill.app.schemas.jobs import (
    CallbackSecretSchema,
    CallbacksSchema,
    EventsSchema,
    JobListSchema,
    StatusInfoSchema,
)
from geomill.app.schemas.processes import ProcessListSchema, ProcessSchema, ProcessSummarySchema
from geomill.app.schemas.queries import (
    DeployQuery,
    EventsQuery,
    JobsQuery,
    LogsQuery,
    PackageQuery,
    PictureQuery,
    ProcessesQuery,
    ResultsQuery,
    UploadQuery,
    ValueQuery,
)
from geomill.app.schemas.uploads import UploadSchema

__all__ = [
    "CallbackSecretSchema",
    "CallbacksSchema",
    "ConfClassesSchema",
    "DeployQuery",
    "DryRunSchema",
    "EventsQuery",
    "EventsSchema",
    "ExceptionSchema",
    "ExecuteSchema",
    "HealthSchema",
    "JobInputsSchema",
    "JobListSchema",
    "JobsQuery",
    "LandingPageSchema",
    "LinkSchema",
    "LogsQuery",
    "OgcPackageSchema",
    "PackageQuery",
    "PictureQuery",
    "ProblemTypeSchema",
    "ProcessListSchema",
    "ProcessSchema",
    "ProcessSummarySchema",
    "ProcessesQuery",
    "ReadinessSchema",
    "ResultsQuery",
    "ResultsSchema",
    "ServerStateSchema",
    "StatusInfoSchema",
    "UploadQuery",
    "UploadSchema",
    "ValueQuery",
    "VersionsSchema",
    "dump",
]
