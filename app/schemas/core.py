"""What every resource uses: links, the landing page, the conformance classes, exceptions."""

from __future__ import annotations

from functools import cache
from typing import Any

from marshmallow import EXCLUDE, INCLUDE, Schema, fields, post_dump


class Document(Schema):
    """A document of the standard: open for further members, and never with a null."""

    class Meta:
        """Written to the API definition as additionalProperties."""

        unknown = INCLUDE

    @post_dump
    def without_nulls(self, members: dict[str, Any], **_: Any) -> dict[str, Any]:
        """An unset member is left out."""
        return {name: value for name, value in members.items() if value is not None}


def dump(schema: type[Document], content: Any) -> dict[str, Any]:
    """The document for some content."""
    made: dict[str, Any] = _instance(schema).dump(content)
    return made


@cache
def _instance(schema: type[Document]) -> Document:
    """Making one copies all of its fields, which takes longer than to use it."""
    return schema()


class Query(Schema):
    """The query parameters of a resource; unknown ones are ignored."""

    class Meta:
        """What is not declared is not read."""

        unknown = EXCLUDE


class LinkSchema(Document):
    """link.yaml."""

    href = fields.String(required=True)
    rel = fields.String(required=True)
    type = fields.String()
    title = fields.String()


class Links(fields.List):  # type: ignore[type-arg]  # generic only since marshmallow 4
    """Links as `links.link` makes them, which are documents already: a list of jobs has a thousand."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> Any:
        return value


def links() -> fields.Field[Any]:
    """The member `links` of a document."""
    return Links(fields.Nested(LinkSchema), required=True)


class MaintenanceSchema(Document):
    """That nothing new is accepted for now; of ours alone."""

    since = fields.String(required=True)
    message = fields.String()


class LandingPageSchema(Document):
    """landingPage.yaml; `maintenance` is ours, and there only meanwhile."""

    title = fields.String()
    description = fields.String()
    maintenance = fields.Nested(MaintenanceSchema)
    links = links()


class ConfClassesSchema(Document):
    """confClasses.yaml."""

    conforms_to = fields.List(fields.String(), data_key="conformsTo", required=True)


class ExceptionSchema(Document):
    """exception.yaml, RFC 9457."""

    type = fields.String(required=True)
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    instance = fields.String()


class ProblemTypeSchema(Document):
    """What a type of problem means; of ours alone."""

    name = fields.String(attribute="type", required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    description = fields.String(attribute="text", required=True)
