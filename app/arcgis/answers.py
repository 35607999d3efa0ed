"""Answers as ArcGIS gives them: a page, JSON, or JSON for people, by the parameter `f`; errors with the status 200."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from geomill.app import errors, links, operations, pages
from geomill.app.api.body import whole_body
from geomill.app.arcgis.messages import messages
from geomill.app.arcgis.states import esri_id
from geomill.app.asked import asked
from geomill.app.errors import InvalidQuery
from geomill.app.exchange import InvalidRequest
from geomill.app.identity.callers import Unauthenticated
from geomill.app.negotiation import JSON
from geomill.app.pages import trees
from geomill.app.pages.posted import MOST_ENTRIES, TYPES
from geomill.app.server import current_app
from geomill.jobstore import JobExpired, JobFailed, NoSuchJob

PREFIX = "/arcgis"
ADMIN = f"{PREFIX}/admin"
FORMATS = ("html", "json", "pjson")
CHANGES = frozenset(  # operations that do not only read what is posted to them
    ("submitGPJob", "executeGPTask", "cancelGPJob", "cancelGPJobOfAny", "deleteGPJob", "purgeGPQueue", "generateToken")
)
INVALID_TOKEN, TOKEN_REQUIRED = 498, 499
UNKNOWN = "Unauthorized access. Token not found. You can generate a token using the 'generateToken' operation."


@dataclass(frozen=True)
class Field:
    """What a form asks for. options: what there is to choose from; secret: as a password."""

    name: str
    label: str
    help: str = ""
    value: str = ""
    options: tuple[str, ...] = ()
    required: bool = False
    long: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Form:
    """A form that asks for a change, or a page that has to be posted. submit: the words on its button."""

    action: str
    submit: str
    fields: tuple[Field, ...] = ()
    text: str = ""
    danger: bool = False


def is_ours() -> bool:
    """Whether the request is for an address of ArcGIS."""
    path = asked().path
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def is_admin() -> bool:
    """Whether it is for one of the administrator's API."""
    return request.path == ADMIN or request.path.startswith(f"{ADMIN}/")


def is_file() -> bool:
    """Whether it is for a file, whose readers go by the status."""
    return request.endpoint == "arcgis.file"


def read_request() -> None:
    """What every request here says: parameters in the address or in a form, `f` among them.

    Raises InvalidRequest for another body, InvalidQuery for an unknown format.
    """
    if not is_ours():
        return
    current = operations.of(current_app, request.endpoint)
    g.changes = request.method == "POST" and (current is None or current.id in CHANGES)  # for the audit log
    request.max_form_memory_size, request.max_form_parts = current_app.settings.max_body, MOST_ENTRIES
    body = whole_body()
    if body and request.mimetype not in TYPES:
        known = " or ".join(TYPES)
        raise InvalidRequest(f"Parameters are sent as a form: as {known}, not as {request.mimetype!r:.80}.")
    if (request.mimetype == TYPES[0] and body.count(b"&") >= MOST_ENTRIES) or not _has_read_form():
        raise InvalidRequest(f"The form has more than {MOST_ENTRIES} entries.")
    if request.files:
        raise InvalidRequest("A form has no files here: send a file to /uploads first, and give its address.")
    asked = said("f").lower() or _default()
    offered = (*FORMATS, *(("geojson",) if request.endpoint == "arcgis.result" else ()))
    if asked not in offered:
        g.f = "json"
        raise InvalidQuery(f"f: {asked!r:.80} is not one of {', '.join(offered)}")
    g.f = asked
    if "callback" in request.values:
        raise InvalidQuery("callback: scripts of other sites are given nothing (JSONP); leave it out, and read JSON")


def _default() -> str:
    """The format of who names none."""
    return "json" if is_file() else "html"


def _has_read_form() -> bool:
    """Whether the form, which is no longer than a body may be, has no more parts than it may have."""
    with suppress(RequestEntityTooLarge):
        return request.form is not None
    return False


def said(name: str) -> str:
    """What a request says by a parameter, in its address or in its form; "" for nothing. Raises InvalidQuery."""
    values = set(request.values.getlist(name))
    if len(values) > 1:
        raise InvalidQuery(f"{name:.80}: is given {len(values)} values; give one")
    return values.pop() if values else ""


def may_change() -> None:
    """Let a change pass that comes by POST, or by GET with a token that no page of another site knows.

    What a browser shows of itself, a cookie for one, it shows for an image on any page, too. Raises InvalidRequest.
    """
    g.changes = True  # for the audit log
    by_get = request.method == "GET" and g.caller.by and g.get("shows_token")
    if request.method != "POST" and not by_get:
        raise InvalidRequest("A GET changes something only with a token (`token` or a Bearer header): send it by POST.")


def only_shown() -> bool:
    """Whether a form is wanted: a browser reads a page of what would change something."""
    return request.method != "POST" and g.f == "html" and not g.get("shows_token")


def answer(
    document: dict[str, Any] | list[Any],
    title: str,
    *,
    leads: Iterable[tuple[str, str]] = (),
    forms: Iterable[Form] = (),
    above: tuple[str, str] | None = None,
    legible: Any = None,
) -> Response:
    """A document as it is wanted. leads: addresses that a page links, with what they are called; above: one more.

    legible: what a page shows instead of the document.
    """
    if g.f != "html":
        return as_json(document)
    shown: dict[str, Any] = {"title": title, "leads": list(leads), "forms": list(forms), "above": above}
    ways = []
    if document and request.method == "GET" and "token" not in request.args:
        ways = [(links.of_query(request.base_url, {**request.args, "f": each}), each) for each in FORMATS[1:]]
    return pages.render("arcgis.html", content=trees.bounded(legible or document), ways=ways, **shown)


def as_json(document: Any) -> Response:
    """A document for programs."""
    text = json.dumps(document, ensure_ascii=False, indent=2 if g.get("f") == "pjson" else None)
    return Response(text, content_type=f"{JSON}; charset=utf-8")


def refused(error: Exception) -> Response:
    """An exception as ArcGIS tells it: the status is 200, but for files, and the code stands in the body."""
    problem = errors.noted(error)
    g.status = problem.status  # for the audit log
    told, retry_after = errors.document(problem, error), errors.retry_after(problem, error)
    told["detail"] = _in_our_words(told["detail"])
    # who was refused before the form was read is no page of ours, where it was posted
    form = g.get("f") or request.args.get("f", "").lower() or ("json" if request.method == "POST" else _default())
    if form == "html":
        response = pages.error(told, retry_after)
    else:
        response = as_json(_document(problem, error, told))
        response.cache_control.no_store = True
    response.status_code = problem.status if is_file() else 200
    if retry_after:
        response.headers["Retry-After"] = str(retry_after)
    response.headers.extend(errors.headers(error))
    return response


def _in_our_words(detail: str) -> str:
    """A detail that names the job of the address as the address does."""
    job_id = (request.view_args or {}).get("job_id")
    return detail.replace(job_id, esri_id(job_id)) if job_id else detail


def _document(problem: errors.Problem, error: Exception, told: dict[str, Any]) -> dict[str, Any]:
    code, message, details = problem.status, problem.title, [told["detail"]]
    if isinstance(error, Unauthenticated):
        code = INVALID_TOKEN if error.invalid else TOKEN_REQUIRED
        message = "Invalid Token" if error.invalid else "Token Required"  # clients look for these words
        details = [UNKNOWN] if code == TOKEN_REQUIRED and is_admin() else details
    if isinstance(error, JobFailed):
        info = error.status_info
        details.append(f"It is the job {esri_id(info.job_id)}.")
        with suppress(NoSuchJob, JobExpired, OSError):  # as it may be meanwhile
            details = list(dict.fromkeys([*details, *(each["description"] for each in messages(info))]))
    return mistake(code, message, *details)


def mistake(code: int, message: str, *details: str) -> dict[str, Any]:
    """What an answer says of an error: of the administrator's API, and of the other one."""
    if is_admin():
        return {"status": "error", "messages": list(details) or [message], "code": code}
    return {"error": {"code": code, "message": message, "details": list(details)}}
