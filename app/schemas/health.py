"""Whether a server lives, and is ready; of ours alone."""

from __future__ import annotations

from marshmallow import fields

from geomill.app.schemas import core


class HealthSchema(core.Document):
    """That a worker answers."""

    status = fields.String(required=True, metadata={"enum": ["alive"]})


class CheckSchema(core.Document):
    """One thing that has to be so. trouble: for those who may read the metrics."""

    name = fields.String(required=True)
    passed = fields.Boolean(required=True)
    trouble = fields.String()


class ReadinessSchema(core.Document):
    """Whether a job would be accepted and started now."""

    status = fields.String(required=True, metadata={"enum": ["ready", "not ready"]})
    checks = fields.List(fields.Nested(CheckSchema), required=True)
