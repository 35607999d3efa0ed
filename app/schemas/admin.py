"""The state of a server, for who runs it; of ours alone."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from geomill.app.schemas import core


class DispatcherSchema(core.Document):
    """The process that starts the jobs."""

    state = fields.String(required=True, metadata={"enum": ["answers", "silent", "absent"]})
    pid = fields.Integer()
    since = fields.String(metadata={"format": "date-time"})
    running = fields.Integer()
    queued = fields.Integer()
    templates = fields.List(fields.String(), metadata={"description": "The warm processes that jobs are forked from."})
    log = fields.String(metadata={"description": "The file that it writes to."})


class GroupSchema(core.Document):
    """Jobs of one process and owner that have not ended. since: when the first of them was created, or began."""

    tenant = fields.String(required=True)
    process_id = fields.String(attribute="processID", data_key="processID", required=True)
    owner = fields.String(required=True)
    count = fields.Integer(required=True)
    since = fields.String(required=True, metadata={"format": "date-time"})
    href = fields.String(required=True)


class FailuresSchema(core.Document):
    """Jobs of one process that failed for the same cause in the last 24 hours."""

    tenant = fields.String(required=True)
    process_id = fields.String(attribute="processID", data_key="processID", required=True)
    cause = fields.String(required=True)
    count = fields.Integer(required=True)
    latest = fields.String(required=True, metadata={"format": "date-time"})
    message = fields.String(metadata={"description": "Of the newest of them."})
    job_id = fields.String(attribute="jobID", data_key="jobID", required=True)
    href = fields.String(required=True)


class LimitSchema(core.Document):
    """A limit on all jobs together, or on those of one caller; used: the most of it at this moment."""

    name = fields.String(required=True, metadata={"description": "The setting."})
    limit = fields.Integer(required=True)
    used = fields.Integer()


class RowSchema(core.Document):
    """Something found, what to know of it, and what to do about it."""

    name = fields.String(required=True)
    value = fields.String()
    note = fields.String()
    help = fields.String()


class _Rows(fields.List[Any]):
    """Rows that are as they are shown, and the same ones for minutes: nobody looks at each of them again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(fields.Nested(RowSchema), **options)

    def _serialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return value


class DiskSchema(core.Document):
    """Where jobs are kept. Sizes in bytes; free inodes: none where the file system does not count them."""

    home = fields.String(required=True)
    runtime_dir = fields.String(attribute="runtimeDir", data_key="runtimeDir", required=True)
    size = fields.Integer(required=True)
    free = fields.Integer(required=True)
    least = fields.Integer(required=True, metadata={"description": "Below this nothing is accepted."})
    inodes = fields.Integer(required=True)
    free_inodes = fields.Integer(attribute="freeInodes", data_key="freeInodes")
    least_inodes = fields.Integer(attribute="leastInodes", data_key="leastInodes", required=True)
    read_only = fields.Boolean(attribute="readOnly", data_key="readOnly", required=True)
    expires_above = fields.Float(attribute="expiresAbove", data_key="expiresAbove")


def _list(schema: type[core.Document]) -> fields.Field[Any]:
    return fields.List(fields.Nested(schema))


class ServerStateSchema(core.Document):
    """All of it; limits, disk, isolation, versions and broken files are for who is admin everywhere."""

    time = fields.String(required=True, metadata={"format": "date-time"})
    troubles = fields.List(fields.String(), required=True)
    maintenance = fields.Nested(core.MaintenanceSchema)
    dispatcher = fields.Nested(DispatcherSchema, required=True)
    running = _list(GroupSchema)
    accepted = _list(GroupSchema)
    failures = _list(FailuresSchema)
    tenants = fields.List(fields.String(), required=True)
    limits = _list(LimitSchema)
    disk = fields.Nested(DiskSchema)
    isolation = _Rows()
    isolation_of_tools = _Rows(attribute="isolationOfTools", data_key="isolationOfTools")
    versions = _Rows()
    broken = _list(RowSchema)
    links = core.links()
