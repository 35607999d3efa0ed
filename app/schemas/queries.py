"""Query parameters: what they mean and what they may be, for the views and for the API definition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from flask import request
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from werkzeug.datastructures import MultiDict

from geomill.app.errors import InvalidQuery
from geomill.app.schemas.core import Query
from geomill.jobstore import Status

LARGEST_PAGE = 10_000
OPEN = ("", "..")


class Limit(fields.Integer):
    """How many items a page has at most; more than the maximum counts as the maximum."""

    def __init__(self, default: int) -> None:
        """default: where the client does not say."""
        page = f"The most items to give; more than {LARGEST_PAGE} counts as {LARGEST_PAGE}."
        metadata = {"description": page, "maximum": LARGEST_PAGE}
        super().__init__(load_default=default, validate=validate.Range(min=1), metadata=metadata)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        return min(super()._deserialize(value, attr, data, **options), LARGEST_PAGE)


class Listed(fields.List):  # type: ignore[type-arg]  # generic only since marshmallow 4
    """Several values: a repeated parameter, a comma list, or both."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        items = [item for text in value for item in text.split(",")]
        return super()._deserialize(items, attr, data, **options)


class Interval(fields.String):
    """An RFC 3339 instant or an interval of two, either end open: (since, until), both inclusive."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        text = super()._deserialize(value, attr, data, **options) or ""
        begin, slash, end = text.partition("/")
        if not slash:
            return instant(begin)
        since = None if begin in OPEN else instant(begin)[0]
        until = None if end in OPEN else instant(end)[1]
        if since is not None and until is not None and since > until:
            raise ValidationError("the interval ends before it begins")
        return since, until


def instant(text: str) -> tuple[datetime, datetime]:
    """The first and last moment of an RFC 3339 time: the same, or a whole second apart without a fraction."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + in a query is a blank
        if moment.tzinfo is None or "T" not in text.upper():
            raise ValidationError(f"{text!r} has no time zone; write it as 2026-01-31T12:00:00Z")
        whole = timedelta(seconds=1, microseconds=-1) if "." not in text else timedelta(0)
        return moment.astimezone(UTC), moment.astimezone(UTC) + whole
    except (ValueError, OverflowError):  # the latter: in UTC it is not in the years 1 to 9999
        raise ValidationError(f"{text!r} is no RFC 3339 time") from None


def nothing() -> None:
    """What counts where a parameter is not given; a plain None would be written into the API definition."""


def seconds(name: str, text: str) -> fields.Float:
    """A length of time."""
    zero = validate.Range(min=0)
    return fields.Float(data_key=name, load_default=nothing, validate=zero, metadata={"description": text})


class ProcessesQuery(Query):
    """What GET /processes understands."""

    limit = Limit(1000)
    offset = fields.Integer(
        load_default=0, validate=validate.Range(min=0), metadata={"description": "How many processes to pass over."}
    )
    q = fields.String(
        load_default="", metadata={"description": "Words that id, title, description or keywords have, all of them."}
    )
    keyword = Listed(fields.String(), load_default=list, metadata={"description": "Keywords that they have."})


class DeployQuery(Query):
    """What POST /processes and PUT /processes/{processID} understand."""

    w = fields.String(load_default=nothing, metadata={"description": "Which process of a CWL document is meant."})
    dry_run = fields.Boolean(
        data_key="dryRun", load_default=False, metadata={"description": "Deploy nothing; say what would be."}
    )


class UploadQuery(Query):
    """What POST /uploads understands."""

    name = fields.String(
        load_default=nothing, metadata={"description": "What the file is called, where the body does not say."}
    )


class PackageQuery(Query):
    """What GET /processes/{processID}/package understands."""

    package = fields.String(
        load_default=nothing, metadata={"description": "The digest of an earlier version, from the list of versions."}
    )


class JobsQuery(Query):
    """What GET /jobs understands."""

    type = Listed(fields.String(), load_default=list, metadata={"description": "Kinds of job; there is only process."})
    process_id = Listed(
        fields.String(), data_key="processID", load_default=list, metadata={"description": "Processes of the jobs."}
    )
    status = Listed(
        fields.Enum(Status, by_value=fields.String),
        load_default=list,
        metadata={"description": "States of the jobs."},
    )
    owner = fields.String(
        load_default=nothing,
        metadata={"description": "Whose the jobs are; an empty one: of nobody in particular."},
    )
    datetime = Interval(
        load_default=lambda: (None, None),
        metadata={"description": "When the jobs were created: an RFC 3339 time, or two with a slash between."},
    )
    min_duration = seconds("minDuration", "Jobs that took, or have been running, as many seconds or more.")
    max_duration = seconds("maxDuration", "Jobs that took, or have been running, as many seconds or less.")
    limit = Limit(100)
    cursor = fields.String(load_default=nothing, metadata={"description": "Continues a list; from the link rel=next."})

    @validates_schema
    def _in_order(self, data: Mapping[str, Any], **options: Any) -> None:
        least, most = data["min_duration"], data["max_duration"]
        if least is not None and most is not None and least > most:
            raise ValidationError(f"is more than maxDuration, which is {most:g}", "minDuration")


class ResultsQuery(Query):
    """What GET /jobs/{jobID}/results understands."""

    outputs = Listed(fields.String(), load_default=nothing, metadata={"description": "The outputs to give; else all."})


class EventsQuery(Query):
    """What GET /jobs/{jobID}/events understands."""

    since = fields.String(
        load_default="",
        metadata={"description": "Of a stream: the id to go on from, where there is no Last-Event-ID yet."},
    )


class LogsQuery(Query):
    """What GET /jobs/{jobID}/logs understands."""

    offset = fields.Integer(
        load_default=0, validate=validate.Range(min=0), metadata={"description": "The first byte to give."}
    )


def _degrees(name: str, most: int, **more: Any) -> fields.Float:
    """A longitude or latitude."""
    metadata = {"description": f"{name}, in degrees (WGS 84)."}
    return fields.Float(validate=validate.Range(-most, most), metadata=metadata, **more)


class _BandQuery(Query):
    band = fields.Integer(
        load_default=nothing,
        validate=validate.Range(0, 65_535),
        metadata={"description": "The only band that is meant, counted from 1; 0 is as if none was named."},
    )


class PictureQuery(_BandQuery):
    """What GET /jobs/{jobID}/pictures/{path} understands. lon, lat: of a value that the page is to tell."""

    lon = _degrees("Longitude", 360, load_default=nothing)
    lat = _degrees("Latitude", 90, load_default=nothing)


class ValueQuery(_BandQuery):
    """What GET /jobs/{jobID}/values/{path} understands."""

    lon = _degrees("Longitude", 360, required=True)
    lat = _degrees("Latitude", 90, required=True)


def read(schema: type[Query], given: MultiDict[str, str] | None = None) -> dict[str, Any]:
    """The query parameters of the request, or others that are given. Raises InvalidQuery."""
    loader = _instance(schema)
    try:
        loaded: dict[str, Any] = loader.load(_members(loader, request.args if given is None else given))
    except ValidationError as error:
        raise InvalidQuery(_sentence(error.messages_dict)) from None
    return loaded


@cache
def _instance(schema: type[Query]) -> Query:
    """Making one copies all of its fields, which takes longer than to use it."""
    return schema()


def _members(schema: Schema, given: MultiDict[str, str]) -> dict[str, Any]:
    """The parameters by name, lists where the schema has one."""
    members: dict[str, Any] = {}
    for name, field in schema.fields.items():
        key = field.data_key or name
        if key in given:
            members[key] = given.getlist(key) if isinstance(field, fields.List) else given[key]
    return members


def _sentence(messages: Mapping[str, Any]) -> str:
    """All that is wrong with the parameters: "limit: Not a valid integer"."""
    return "; ".join(f"{name}: {_first(found)}" for name, found in messages.items())


def _first(found: Any) -> str:
    while not isinstance(found, str):
        found = next(iter(found.values() if isinstance(found, Mapping) else found))
    return found.rstrip(".")
