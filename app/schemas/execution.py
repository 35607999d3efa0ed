"""The execute request and the results document."""

from __future__ import annotations

from marshmallow import fields
from marshmallow.validate import OneOf, Range

from geomill.app.schemas import core
from geomill.app.schemas.core import Document

ABOVE_ZERO = Range(0, min_inclusive=False)


class FormatSchema(Document):
    """format.yaml."""

    media_type = fields.String(data_key="mediaType", allow_none=True)
    encoding = fields.String(allow_none=True)


class OutputSelectionSchema(Document):
    """output.yaml of 1.0, outputSelection.yaml of 2.0."""

    transmission_mode = fields.String(
        data_key="transmissionMode", validate=OneOf(["value", "reference"]), allow_none=True
    )
    format = fields.Nested(FormatSchema, allow_none=True)


class SubscriberSchema(Document):
    """subscriber.yaml: who is told of the job, by addresses that take a POST."""

    success_uri = fields.String(data_key="successUri", allow_none=True)
    in_progress_uri = fields.String(data_key="inProgressUri", allow_none=True)
    failed_uri = fields.String(data_key="failedUri", allow_none=True)


class LimitsSchema(Document):
    """What a job may use at most, of ours alone: seconds, bytes, numbers."""

    time_limit = fields.Float(data_key="timeLimit", validate=ABOVE_ZERO, allow_none=True)
    cpu_limit = fields.Float(data_key="cpuLimit", validate=ABOVE_ZERO, allow_none=True)
    memory = fields.Integer(validate=ABOVE_ZERO, allow_none=True)
    max_processes = fields.Integer(data_key="maxProcesses", validate=ABOVE_ZERO, allow_none=True)
    max_files = fields.Integer(data_key="maxFiles", validate=ABOVE_ZERO, allow_none=True)
    max_work = fields.Integer(data_key="maxWork", validate=ABOVE_ZERO, allow_none=True)
    max_work_files = fields.Integer(data_key="maxWorkFiles", validate=ABOVE_ZERO, allow_none=True)
    max_output = fields.Integer(data_key="maxOutput", validate=ABOVE_ZERO, allow_none=True)


class ExecuteSchema(Document):
    """execute.yaml. Documents the body; the exchange reads it."""

    inputs = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        allow_none=True,
        metadata={"description": "A value, or an array of them, by input: bare, qualified {value}, or a link {href}."},
    )
    outputs = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(OutputSelectionSchema),
        allow_none=True,
        metadata={"description": "The outputs to give; all of them when left out, none when empty."},
    )
    response = fields.String(validate=OneOf(["raw", "document"]), allow_none=True)
    subscriber = fields.Nested(SubscriberSchema, allow_none=True)
    limits = fields.Nested(LimitsSchema, allow_none=True)


class ResultsSchema(Document):
    """results.yaml: a value, a qualified value or a link by output."""


class JobInputsSchema(Document):
    """The inputs of a job, of Part 4's class provenance: what was asked for, as it was received."""

    id = fields.String(required=True)
    inputs = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)
    outputs = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)
    response = fields.String()
    subscriber = fields.Raw()
    headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    links = core.links()
