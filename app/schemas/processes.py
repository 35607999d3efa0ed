"""Descriptions of processes, and the list of them."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, pre_dump
from marshmallow.validate import OneOf, Range

from geomill.app import links
from geomill.app.schemas import core
from geomill.processes.registry import Process


class ProcessSummarySchema(core.Document):
    """processSummary.yaml, with `mutable` of staticIndicator.yaml. Dumps a Process."""

    id = fields.String(required=True)
    version = fields.String(required=True)
    title = fields.String()
    description = fields.String()
    keywords = fields.List(fields.String())
    metadata = fields.List(fields.Dict())
    additional_parameters = fields.Dict(data_key="additionalParameters", attribute="additionalParameters")
    mutable = fields.Boolean(required=True)
    job_control_options = fields.List(
        fields.String(validate=OneOf(["sync-execute", "async-execute", "dismiss"])),
        data_key="jobControlOptions",
        attribute="jobControlOptions",
    )
    output_transmission = fields.List(
        fields.String(validate=OneOf(["value", "reference"])),
        data_key="outputTransmission",
        attribute="outputTransmission",
    )
    links = core.links()

    @pre_dump
    def as_document(self, process: Process, **_: Any) -> dict[str, Any]:
        """The description that the process came with, and what only the server knows."""
        return {**process.description, "mutable": process.mutable, "links": links.of_process(process)}


class ProcessSchema(ProcessSummarySchema):
    """process.yaml."""

    inputs = fields.Dict(keys=fields.String(), values=fields.Dict())
    outputs = fields.Dict(keys=fields.String(), values=fields.Dict())


class ProcessListSchema(core.Document):
    """processList.yaml."""

    processes = fields.List(fields.Nested(ProcessSummarySchema), required=True)
    number_total = fields.Integer(data_key="numberTotal", validate=Range(min=0))
    links = core.links()
