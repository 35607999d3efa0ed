"""A file that a caller sent."""

from __future__ import annotations

from marshmallow import fields

from geomill.app.schemas import core


class UploadSchema(core.Document):
    """An upload, of ours alone: `href` and `type` are what a link to it says, as an input by reference."""

    href = fields.String(required=True)
    type = fields.String(required=True)
    name = fields.String()
    size = fields.Integer(required=True, metadata={"description": "Bytes."})
    expires = fields.DateTime(metadata={"description": "When it is removed, if ever."})
    links = core.links()
