"""The status of a job and the list of jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from marshmallow import fields
from marshmallow.validate import OneOf, Range

from geomill.app import links
from geomill.app.schemas import core
from geomill.jobstore import Status, StatusInfo
from geomill.jobstore.moves import may_expire
from geomill.jobstore.records import timestamp


class Timestamp(fields.DateTime):
    """A time in UTC, as 2026-01-31T12:00:00.123Z. RFC 3339"""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else timestamp(value)


class StatusInfoSchema(core.Document):
    """statusInfo.yaml, with the members of both versions of the standard."""

    job_id = fields.String(data_key="jobID", required=True)
    id = fields.String(required=True)
    type = fields.Constant("process", required=True, validate=OneOf(["process"]), metadata={"type": "string"})
    process_id = fields.String(data_key="processID", required=True)
    processing_entity_type = fields.Constant(
        "ogc-api-processes", data_key="processingEntityType", required=True, metadata={"type": "string"}
    )
    owner = fields.String(metadata={"description": "Whose it is; not there where it is nobody's in particular."})
    status = fields.Enum(Status, by_value=fields.String, required=True)
    message = fields.String()
    cause = fields.String(metadata={"description": "Why it failed, in a word for programs; not there unless it did."})
    progress = fields.Integer(validate=Range(0, 100))
    created = Timestamp(required=True)
    started = Timestamp()
    finished = Timestamp()
    updated = Timestamp()
    expires = Timestamp(metadata={"description": "When all but this status is removed, unless it is pinned before."})
    expired = Timestamp(metadata={"description": "When all but this status was removed."})
    pinned = fields.Boolean(metadata={"description": "It never expires."})
    links = core.links()

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """As marshmallow does it, without the questions that it asks of each field: lists have hundreds of jobs."""
        if self.many if many is None else many:
            return [self.dump(each, many=False) for each in obj]
        members = {}
        for name, field in self.dump_fields.items():
            value = field._serialize(self.get_attribute(obj, name, None), name, obj)
            if value is not None:
                members[field.data_key or name] = value
        return members

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """The links of a job follow from its status; its id has two names."""
        made = _MADE.get(attr)
        return getattr(obj, attr, default) if made is None else made(obj)


def expires(status: StatusInfo) -> datetime | None:
    """When a job expires, if it has ended and nothing is changed."""
    keep = current_app.config["KEEP"]
    if not keep or status.finished is None or status.expired or not may_expire(status):
        return None
    try:
        return status.finished + timedelta(seconds=keep)
    except OverflowError:  # not in this calendar
        return None


_MADE: dict[str, Callable[[StatusInfo], Any]] = {
    "id": lambda status: status.job_id,
    "owner": lambda status: status.owner or None,
    "pinned": lambda status: status.pinned or None,
    "cause": lambda status: status.cause if status.status is Status.FAILED else None,
    "expires": expires,
    "links": links.of_job,
}


class JobListSchema(core.Document):
    """jobList.yaml."""

    jobs = fields.List(fields.Nested(StatusInfoSchema), required=True)
    links = core.links()


class StepSchema(core.Document):
    """One step of a job, of ours alone: times in RFC 3339, seconds it took, bytes of memory at the peak."""

    id = fields.String(required=True)
    tool = fields.String()
    status = fields.String(required=True, validate=OneOf(["running", "successful", "failed", "dismissed"]))
    started = fields.String()
    finished = fields.String()
    seconds = fields.Float()
    exitCode = fields.Integer()
    peakMemory = fields.Integer()
    reused = fields.Boolean(metadata={"description": "The job that this one retries had finished it."})
    log = fields.String()


class EventsSchema(core.Document):
    """What happened to the steps of a job."""

    id = fields.String(required=True)
    steps = fields.List(fields.Nested(StepSchema), required=True)
    events = fields.List(fields.Dict(), required=True)
    links = core.links()


class AttemptSchema(core.Document):
    """One attempt to tell a subscriber something. status: what the receiver answered."""

    time = fields.String()
    outcome = fields.String(validate=OneOf(["delivered", "failed", "given-up"]))
    status = fields.Integer()
    message = fields.String()


class DeliverySchema(core.Document):
    """One thing that a subscriber was to be told: the same id at every attempt."""

    id = fields.String(required=True)
    event = fields.String(required=True, validate=OneOf(["inProgress", "success", "failed"]))
    uri = fields.String(metadata={"description": "Without its query."})
    outcome = fields.String(validate=OneOf(["delivered", "failed", "given-up"]))
    attempts = fields.List(fields.Nested(AttemptSchema), required=True)


class CallbacksSchema(core.Document):
    """What a subscriber was told of a job. pending: something is still to be told, or may come."""

    id = fields.String(required=True)
    subscriber = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    pending = fields.Boolean(required=True)
    deliveries = fields.List(fields.Nested(DeliverySchema), required=True)
    links = core.links()


class CallbackSecretSchema(core.Document):
    """What signatures are checked with, as libraries for Standard Webhooks take it."""

    secret = fields.String(required=True)
