"""The API definition: OpenAPI 3.0, made from what the views say of themselves."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import lru_cache
from http import HTTPStatus
from importlib.metadata import version
from itertools import starmap
from typing import TYPE_CHECKING, Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask

from geomill.app import errors, operations
from geomill.app.exchange.package import OGC
from geomill.app.identity.callers import Caller
from geomill.app.identity.roles import PUBLIC, Role, needed
from geomill.app.negotiation import ANY, BYTES, FORM, HTML, JSON, PROBLEM
from geomill.app.operations import Answer, Operation
from geomill.app.schemas import ExceptionSchema, ExecuteSchema, ResultsSchema, StatusInfoSchema

if TYPE_CHECKING:
    from geomill.app.server import Geomill

Json = dict[str, Any]

OPENAPI_VERSION = "3.0.3"
TEXT_SCHEMA: Json = {"type": "string"}
BYTES_SCHEMA: Json = {"type": "string", "format": "binary"}
BODIES: Json = {  # of requests that are no text
    BYTES: BYTES_SCHEMA,
    ANY: BYTES_SCHEMA,
    FORM: {"type": "object", "required": ["file"], "properties": {"file": BYTES_SCHEMA}},
}
PARAMETERS: dict[str, tuple[str, str, Json]] = {  # in the rules of the views: (in the standard, meaning, schema)
    "process_id": ("processID", "The id of a process.", {**TEXT_SCHEMA, "example": "echo"}),
    "job_id": ("jobID", "The id of a job.", TEXT_SCHEMA),
    "upload_id": ("uploadID", "The id of an upload.", TEXT_SCHEMA),
    "output_id": ("outputID", "The id of an output.", TEXT_SCHEMA),
    "number": ("N", "Which value of an output with several, from 0.", {"type": "integer", "minimum": 0}),
    "path": ("path", "The path of a file among the results.", TEXT_SCHEMA),
    "name": ("name", "Of a log: as the job links it. Of a problem: the last part of its type.", TEXT_SCHEMA),
}
REQUEST_HEADERS = {
    "Prefer": "respond-async, wait=<seconds>, return=minimal or return=representation. RFC 7240",
    "Idempotency-Key": "Names this request, so that sending it again does not execute it again.",
    "If-Match": "The ETag that the status of the job still has to have.",
    "Content-Disposition": "The name of the file that is sent. RFC 6266",
    "Last-Event-ID": "The id of the answer before; then what is new since is told. HTML, 9.2.4",
    "Range": "The bytes to give. RFC 9110, 14.2",
}
RESPONSE_HEADERS = {
    "Location": "The address of what was made: the job, the process, the upload.",
    "Link": "Links, as RFC 8288 writes them.",
    "Preference-Applied": "The preferences that were honoured. RFC 7240",
    "ETag": "Names this state of the resource.",
    "Retry-After": "When to try again, in seconds.",
    "Allow": "The methods that the resource has.",
    "Next-Offset": "Where to go on reading, in bytes.",
    "Content-Disposition": "The name of the file.",
    "Content-Range": "Which bytes these are.",
    "WWW-Authenticate": "How to say who asks. RFC 6750, 3",
}
TAGS = {  # of the first part of a path, or of the third of a job's
    "Server": "What this server is and how it is.",
    "Processes": "What can be run.",
    "Uploads": "Files of callers, to be inputs of their jobs.",
    "Jobs": "What runs, ran, or waits to run.",
    "Results": "What came of a job, and what of.",
}
OF_RESULTS = ("results", "files", "inputs", "prov", "ro-crate.zip")
TOOL = {
    "cwlVersion": "v1.2",
    "class": "CommandLineTool",
    "id": "greet",
    "label": "Greet",
    "baseCommand": ["echo", "Hello"],
    "inputs": {"whom": {"type": "string", "default": "world", "inputBinding": {}}},
    "outputs": {"greeting": {"type": "stdout"}},
}
EXAMPLES: dict[str, dict[str, Any]] = {  # of bodies, by operation and media type; each can be sent as it is
    "execute": {JSON: {"inputs": {"echoInput": "Hello"}}},
    **dict.fromkeys(("deploy", "replace"), {OGC: {"executionUnit": {"value": TOOL}}, JSON: TOOL}),
}
CALLBACKS: dict[str, tuple[str, str, Any]] = {  # of an execution: whom it is sent to, what it is, its body
    "jobInProgress": ("inProgressUri", "The job runs, or has come further.", StatusInfoSchema),
    "jobCompleted": ("successUri", "The results of the job.", ResultsSchema),
    "jobFailed": ("failedUri", "Why there are no results.", "Exception"),
}
EVERYWHERE = (400, 405, 406, 421, 500)  # problems that any operation can answer
CHANGES = (403,)  # and what any change can
NOT_FOR_EVERYBODY = (401, 403)  # and what all but the public ones can
SECURITY_SCHEMES: dict[str, Json] = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of the server, or of its issuer."},
    "session": {"type": "apiKey", "in": "cookie", "name": "geomill", "description": "Of a browser, by `/login`."},
    "password": {"type": "http", "scheme": "basic", "description": "The same token as a password, under any name."},
}
UNCHANGED = Answer("The client has this already.", media_types=(), headers=("ETag",))
PROBLEM_STATUSES = sorted({problem.status for problem in errors.everything()} | {*EVERYWHERE})
HEADERS_OF_PROBLEMS = {
    401: ("WWW-Authenticate",), 405: ("Allow",), 409: ("Location",), 416: ("Content-Range",),
    429: ("Retry-After",), 503: ("Retry-After",),
}  # fmt: skip


@lru_cache(maxsize=4)
def document(app: Geomill, root: str, anonymous: Role = Role.ADMIN) -> Json:
    """The definition of the API, as served below root. anonymous: what who shows nothing may."""
    spec = APISpec(
        title=app.settings.title,
        version=version("geomill"),
        openapi_version=OPENAPI_VERSION,
        plugins=[MarshmallowPlugin()],
        info={"description": app.settings.description},
        servers=[{"url": root.rstrip("/")}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    spec.components.schema("Exception", schema=ExceptionSchema)
    for name, text in RESPONSE_HEADERS.items():
        spec.components.header(name, {"description": text, "schema": TEXT_SCHEMA})
    for status in PROBLEM_STATUSES:
        spec.components.response(_name(status), _problem(status))
    for name, scheme in SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    for path, methods in paths(app).items():
        described = {method: _operation(path, method, each) for method, each in methods.items()}
        for method, each in methods.items():
            described[method]["security"] = _security(each, anonymous)
        spec.path(path, operations=described)
    return {"openapi": OPENAPI_VERSION, **spec.to_dict()}


def paths(app: Flask) -> dict[str, dict[str, Operation]]:
    """The documented operations by path and method, in the order of the resources."""
    found: dict[str, dict[str, Operation]] = {}
    for rule in app.url_map.iter_rules():
        documented = operations.of(app, rule.endpoint)
        if documented and documented.documented:
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: f"{{{PARAMETERS[part[1]][0]}}}", rule.rule)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                found.setdefault(path, {})[method.lower()] = documented
    return found


def _operation(path: str, method: str, documented: Operation) -> Json:
    problems = {*EVERYWHERE, *documented.problems, *(CHANGES if method != "get" else ())}
    problems |= set() if needed(documented.id) == PUBLIC else {*NOT_FOR_EVERYBODY}
    problems -= {406} if documented.offers == (ANY,) else set()
    answers = {**documented.answers, **({304: UNCHANGED} if method == "get" and not documented.streams else {})}
    described: Json = {
        "operationId": documented.id,
        "summary": documented.summary,
        "tags": [_tag(path)],
        "parameters": _parameters(path, documented),
        "responses": {
            **{str(status): _answer(answer, documented) for status, answer in sorted(answers.items())},
            **{str(status): _name(status) for status in sorted(problems)},
        },
    }
    if documented.body or documented.takes:
        schemas: Json = {media_type: BODIES.get(media_type, TEXT_SCHEMA) for media_type in documented.takes}
        if documented.body:
            schemas[documented.takes[0] if documented.takes else JSON] = documented.body
        examples = {name: {"example": each} for name, each in EXAMPLES.get(documented.id, {}).items()}
        content = {name: {"schema": schema, **examples.get(name, {})} for name, schema in schemas.items()}
        described["requestBody"] = {"required": True, "content": content}
    if documented.body is ExecuteSchema:
        described["callbacks"] = dict(starmap(_callback, CALLBACKS.items()))
    return described


def _callback(name: str, told: tuple[str, str, Any]) -> tuple[str, Json]:
    """One of the requests that the server makes. OpenAPI 3.0.3, callback object"""
    uri, text, schema = told
    taken = {"2XX": {"description": "The receiver has it; any other answer, or none, and it is sent again."}}
    sent = {"summary": text, "requestBody": {"content": {JSON: {"schema": schema}}}, "responses": taken}
    return name, {f"{{$request.body#/subscriber/{uri}}}": {"post": sent}}


def _tag(path: str) -> str:
    """The group of an operation."""
    _, first, *more = path.split("/")
    if first == "jobs":
        return "Results" if more[1:2] and more[1] in OF_RESULTS else "Jobs"
    return first.title() if first.title() in TAGS else "Server"


def _security(documented: Operation, anonymous: Role) -> list[Json]:
    """How to say who asks; first that nobody need say, where it is so. OpenAPI 3.0.3, security requirement"""
    right = needed(documented.id)
    if right == PUBLIC:
        return []
    nobody = Caller(anonymous)
    return [*([{}] if nobody.may(right) else []), *({name: []} for name in SECURITY_SCHEMES)]


def _parameters(path: str, documented: Operation) -> list[Json]:
    of_path = [
        {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        for name, text, schema in PARAMETERS.values()
        if f"{{{name}}}" in path
    ]
    of_query = [{"in": "query", "schema": documented.query}] if documented.query else []
    of_header = [
        {"name": name, "in": "header", "description": REQUEST_HEADERS[name], "schema": TEXT_SCHEMA}
        for name in documented.headers
    ]
    return [*of_path, *of_query, *of_header]


def _answer(answer: Answer, documented: Operation) -> Json:
    media_types = answer.media_types if answer.media_types is not None else documented.offers
    described = {"description": answer.text, **_headers(answer.headers)}
    if media_types:
        described["content"] = {media_type: _content(media_type, answer) for media_type in media_types}
    return described


def _content(media_type: str, answer: Answer) -> Json:
    if media_type == ANY:
        return {}
    if answer.schema and media_type == JSON:
        return {"schema": deepcopy(answer.schema)}  # which apispec resolves in place
    return {"schema": TEXT_SCHEMA if media_type == HTML or media_type.startswith("text/") else {}}


def _name(status: int) -> str:
    """What the answers with a problem of this status are called: NotFound."""
    return re.sub(r"\W", "", HTTPStatus(status).phrase.title())


def _problem(status: int) -> Json:
    return {
        "description": HTTPStatus(status).phrase,
        **_headers(HEADERS_OF_PROBLEMS.get(status, ())),
        "content": {
            **{media_type: {"schema": "Exception"} for media_type in (JSON, PROBLEM)},
            HTML: {"schema": TEXT_SCHEMA},
        },
    }


def _headers(names: tuple[str, ...]) -> Json:
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}} if names else {}
