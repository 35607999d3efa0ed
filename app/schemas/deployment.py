"""Packages of processes: what is deployed, what a dry run says, and the versions there were."""

from __future__ import annotations

from marshmallow import fields

from geomill.app.schemas import core
from geomill.app.schemas.processes import ProcessSchema


class OgcPackageSchema(core.Document):
    """ogcapppkg.yaml. Documents the body; the exchange reads it."""

    process_description = fields.Dict(
        data_key="processDescription", metadata={"description": "What to say of the process beside what its code says."}
    )
    execution_unit = fields.Raw(
        data_key="executionUnit",
        required=True,
        metadata={"description": "A link {href, type}, a qualified value {value, mediaType}, or an array of these."},
    )


class DryRunSchema(core.Document):
    """What a package would be, if it were deployed."""

    process = fields.Nested(ProcessSchema, required=True)
    execute = fields.Dict(required=True, metadata={"description": "A body to execute it with."})
    isolation = fields.Dict(required=True, metadata={"description": "What keeps its tools apart from this host."})
    warnings = fields.List(fields.String(), required=True)


class VersionSchema(core.Document):
    """One version of a process."""

    version = fields.String(required=True)
    package = fields.String(required=True, metadata={"description": "A digest, which names its content for good."})
    deployed = fields.String(required=True, metadata={"format": "date-time"})
    current = fields.Boolean(required=True)
    links = core.links()


class VersionsSchema(core.Document):
    """The versions of a process, the one that counts last."""

    versions = fields.List(fields.Nested(VersionSchema), required=True)
    links = core.links()
