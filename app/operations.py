"""What a view says of itself: its operation, from which negotiation and the API definition both follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, Response, g
from marshmallow import Schema
from werkzeug.exceptions import NotAcceptable

from geomill.app import negotiation
from geomill.app.asked import asked
from geomill.app.identity.roles import ADMINISTER, Right, needed
from geomill.app.negotiation import ANY, HTML, JSON, STREAM

# in the environ of a request for what has changed, or for a part
CONDITIONS = {"HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE", "HTTP_RANGE"}
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Answer:
    """One answer of an operation.

    schema: of a JSON body; media_types: where it is not that of the operation, () for an answer without a body;
    headers: names in openapi.RESPONSE_HEADERS.
    """

    text: str
    schema: type[Schema] | dict[str, Any] | None = None
    media_types: tuple[str, ...] | None = None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One method of one path. offers: its media types, best first; () where the process decides about them,
    (ANY,) where there is one thing, which is given whatever the client accepts.

    body: of a request in JSON; takes: the media types of a request whose body is a document of its own;
    streams: its answers are written as they are read, or others at every moment, and have no ETag;
    documented: in the API definition; page: makes a page for people of the document that the view gives.
    """

    id: str
    summary: str
    answers: dict[int, Answer]
    problems: tuple[int, ...] = ()
    query: type[Schema] | None = None
    headers: tuple[str, ...] = ()
    body: type[Schema] | None = None
    takes: tuple[str, ...] = ()
    offers: tuple[str, ...] = (JSON,)
    streams: bool = False
    documented: bool = True
    page: Callable[[Any], Response] | None = None


def operation(
    id: str, answers: dict[int, Answer], problems: tuple[int, ...] = (), **more: Any
) -> Callable[[View], View]:
    """Document a view, and hold its clients to the media types it offers. more: as in Operation."""

    def mark(view: View) -> View:
        current = Operation(id, _summary(view), answers, problems, **more)
        if current.page is not None:
            current = replace(current, offers=(*current.offers, HTML))

        @wraps(view)
        def answer(**values: Any) -> Any:
            given = view(**values)
            if current.page is None or g.media_type != HTML:
                return given
            return current.page(given.get_json() if isinstance(given, Response) else given)

        answer.operation = current  # type: ignore[attr-defined]
        return cast(View, answer)

    return mark


def _summary(view: Callable[..., Any]) -> str:
    """What a view's docstring says it gives, without the requirement that it names."""
    return re.split(r" /req/| /rec/| RFC ", view.__doc__ or "")[0].partition("\n")[0]


def of(app: Flask, endpoint: str | None) -> Operation | None:
    """The operation of a view, if it has one."""
    return getattr(app.view_functions.get(endpoint or ""), "operation", None)


def right(app: Flask, endpoint: str) -> Right:
    """The right that a view needs; one that is no operation is for admins."""
    current = of(app, endpoint)
    return needed(current.id) if current else ADMINISTER


def init_app(app: Flask) -> None:
    """Negotiate before each view, and answer 304 where the client has the body already."""

    def negotiate() -> None:
        request = asked()
        if request.method in ("GET", "HEAD"):  # reading what has changed harms nobody; If-Match is for DELETE
            request.environ.pop("HTTP_IF_MATCH", None)
        current = of(app, request.endpoint)
        if current and current.offers not in ((), (ANY,)) and request.method != "OPTIONS":
            g.media_type, g.has_json = negotiation.chosen(request, current.offers), JSON in current.offers
            if g.media_type is None:
                raise NotAcceptable(f"This resource is offered as {' or '.join(current.offers)}.")

    def validate(response: Response) -> Response:
        request = asked()
        current = of(app, request.endpoint)
        if current and len(current.offers) > 1:
            if "Vary" in response.headers:
                response.vary.add("Accept")
            else:
                response.headers["Vary"] = "Accept"  # at a third of the time
        if request.method in ("GET", "HEAD") and response.status_code == 200 and not _streams(current, response):
            response.add_etag()
            if not CONDITIONS.isdisjoint(request.environ):
                response.make_conditional(request)
        return response

    def _streams(current: Operation | None, response: Response) -> bool:
        return response.is_streamed or response.mimetype == STREAM or (current is not None and current.streams)

    app.before_request(negotiate)
    app.after_request(validate)
