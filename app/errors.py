"""What an error looks like: one table from exceptions to problems (RFC 9457), one handler.

Code raises a plain exception that knows no HTTP; its text becomes `detail`.
"""

from __future__ import annotations

import errno
import sqlite3
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, PreconditionFailed, RequestEntityTooLarge

from geomill.app import links, loglines, pages, security
from geomill.app.cwl.document import InvalidPackage, Unsupported, WorkflowNotFound
from geomill.app.engine.steps import NoSuchLog
from geomill.app.exchange import InvalidRequest, NotAcceptable
from geomill.app.exchange.package import UnsupportedMediaType
from geomill.app.guard import Refused
from geomill.app.identity.callers import ChangesRefused, Forbidden, Unauthenticated
from geomill.app.inlining import TooMuchAtOnce
from geomill.app.negotiation import JSON, PROBLEM, UnknownFormat, accepted, wants_page
from geomill.app.pages import above
from geomill.app.pages.form.entries import TooMuch
from geomill.app.sandbox import NoIsolation
from geomill.app.tenant_names import NoSuchTenant
from geomill.app.uploads.store import NoSuchUpload, TooManyUploads
from geomill.jobstore import (
    BadCursor,
    GivenGone,
    IdempotencyConflict,
    JobCorrupt,
    JobExpired,
    JobFailed,
    NoSuchJob,
    NoSuchOutput,
    QueueFull,
    ResultNotAvailable,
    ResultNotReady,
    StatusChanged,
    StoreBusy,
    StoreFull,
    TooManyJobs,
    UnderMaintenance,
)
from geomill.jobstore.home import HomeGone
from geomill.processes import BadInput
from geomill.processes.deployed import DuplicatedProcess, NoSuchVersion
from geomill.processes.describe import is_scarce
from geomill.processes.records import CorruptProcess, NoSuchProcess, NotKnownYet

if TYPE_CHECKING:
    from geomill.app.server import Geomill

PART_1 = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
PART_2 = "http://www.opengis.net/def/exceptions/ogcapi-processes-2/1.0/"


class InvalidQuery(ValueError):
    """A query parameter has a value that it cannot have."""


class ImmutableProcess(Exception):
    """The process came with the server, or in a folder of its operator."""

    def __init__(self, process_id: str) -> None:
        super().__init__(f"Process {process_id!r} is the server's own: it stays as it is.")
        self.process_id = process_id


class JobNotFinished(Exception):
    """The job may still come to a good end by itself."""


class NotExecutable(Exception):
    """A process that can be deployed here, but not run."""


class EncodedBody(Exception):
    """A body that would have to be unpacked before it could be read."""


class ServerBusy(Exception):
    """As many requests wait for synchronous jobs as may wait; the process cannot be executed otherwise."""

    retry_after = 5


@dataclass(frozen=True)
class Problem:
    """A kind of error. type: an OGC URI, or the name of a page below /problems; text: what that page says."""

    status: int
    type: str
    title: str
    text: str = ""


INVALID_QUERY = Problem(400, PART_1 + "invalid-query-parameter-value", "Invalid query parameter value")
FAILED = Problem(500, "process-failed", "Process failed", "The process itself failed; the log of the job says more.")
BAD_INPUT = Problem(400, "bad-input", "Bad input", "An input is missing, unknown, or not as the process describes it.")
LOST = Problem(503, "job-lost", "Job lost", "The host or the program that ran the job went away before it ended.")
TOO_LATE = Problem(504, "time-limit", "Time limit exceeded", "The job ran longer than it may and was stopped.")
LIMITS = {  # of a job, by the cause that each is
    "cpu-limit": Problem(500, "cpu-limit", "Processor time used up", "The job used more processor time than it may."),
    "out-of-memory": Problem(500, "out-of-memory", "Out of memory", "The job wanted more memory than it may have."),
    "process-limit": Problem(500, "process-limit", "Too many processes", "The job started more processes than it may."),
    "file-limit": Problem(500, "file-limit", "Too many open files", "The job opened more files than it may."),
    "work-limit": Problem(
        500, "work-limit", "Working directory full", "The job put more into its working directory than it may."
    ),
    "output-limit": Problem(500, "output-limit", "Results too large", "The job gave larger results than it may."),
}
DISK_FULL = Problem(503, "disk-full", "Disk full", "The disk filled up while the job ran.")
CORRUPT = Problem(
    503, "job-corrupt", "Job corrupt", "A file of the job cannot be read; what is left is kept until it is deleted."
)
UNAVAILABLE = Problem(
    503, "home-unavailable", "Home unavailable", "The disk with the jobs cannot be used now; nothing was changed."
)
OF_THE_DISK = {  # errors that say so
    *(errno.EROFS, errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.ENOTCONN, errno.ENOTDIR),
    *(errno.EACCES, errno.EPERM),
}
STALE = Problem(412, "precondition-failed", "Precondition failed", "The job has changed since its status was read.")
UNWANTED = Problem(406, "not-acceptable", "Not acceptable", "There is no media type here that the client accepts.")
NOT_EXECUTABLE = Problem(
    422, "not-executable", "Not executable", "The package is understood, but this server cannot run what it asks for."
)
LONGEST = 2000  # characters of a detail
_of_full_disks = loglines.Seldom()
BUSY = Problem(503, "busy", "Server busy", "The server cannot take this request now; it says when to try again.")
AGAIN = {BUSY.type: 2, UNAVAILABLE.type: 30}  # seconds until the host may have room again, the disk be back

PROBLEMS: dict[type[Exception], Problem] = {
    NoSuchProcess: Problem(404, PART_1 + "no-such-process", "No such process"),
    NoSuchJob: Problem(404, PART_1 + "no-such-job", "No such job"),
    NoSuchUpload: Problem(404, "no-such-upload", "No such upload", "An upload is its owner's, and not kept long."),
    TooManyUploads: Problem(
        429, "too-many-uploads", "Too many uploads", "One caller keeps as many uploads as may; remove one, or wait."
    ),
    GivenGone: BAD_INPUT,
    TooMuch: BAD_INPUT,
    NoSuchVersion: Problem(404, "no-such-version", "No such version", "The process never had this package."),
    NoSuchLog: Problem(404, "no-such-log", "No such log", "A log of a step is there once the step has begun."),
    JobNotFinished: Problem(409, "job-not-finished", "Job not finished", "Only a job that has ended can be retried."),
    NoSuchTenant: Problem(
        404,
        "no-such-tenant",
        "No such tenant",
        "Tenants are named in the settings; a loopback server also makes one at its first POST or PUT.",
    ),  # fmt: skip
    ResultNotReady: Problem(404, PART_1 + "result-not-ready", "Results not ready"),
    ResultNotAvailable: Problem(404, PART_1 + "result-not-available", "Results not available"),
    JobExpired: Problem(
        410, "job-expired", "Job expired", "The job ended long ago, or the disk was nearly full; its status is left."
    ),
    NoSuchOutput: Problem(400, PART_1 + "no-such-output", "No such output"),
    DuplicatedProcess: Problem(409, PART_2 + "duplicated-process", "Duplicated process"),
    ImmutableProcess: Problem(403, PART_2 + "immutable-process", "Immutable process"),
    UnsupportedMediaType: Problem(415, PART_2 + "unsupported-media-type", "Unsupported media type"),
    WorkflowNotFound: Problem(400, PART_2 + "workflow-not-found", "Workflow not found"),
    InvalidPackage: Problem(
        400, "invalid-package", "Invalid package", "The package that is to be deployed is not what it should be."
    ),
    Unsupported: NOT_EXECUTABLE,
    NotExecutable: NOT_EXECUTABLE,
    NoIsolation: NOT_EXECUTABLE,
    HomeGone: UNAVAILABLE,
    JobCorrupt: CORRUPT,
    CorruptProcess: Problem(
        503,
        "process-corrupt",
        "Process corrupt",
        "What was kept of the process cannot be read; replacing or undeploying it mends that.",
    ),
    InvalidQuery: INVALID_QUERY,
    BadCursor: INVALID_QUERY,
    UnknownFormat: INVALID_QUERY,
    EncodedBody: Problem(
        415, "encoded-body", "Encoded body", "A body is sent as it is: what is packed small may be large, or endless."
    ),
    InvalidRequest: Problem(400, "invalid-request", "Invalid request", "The body is not what this resource takes."),
    BadInput: BAD_INPUT,
    Refused: BAD_INPUT,
    NotAcceptable: UNWANTED,
    IdempotencyConflict: Problem(
        422, "idempotency-conflict", "Idempotency-Key in use", "The Idempotency-Key came before with another request."
    ),
    TooManyJobs: Problem(
        429, "too-many-jobs", "Too many jobs", "As many jobs of one caller wait as may; it says when to try again."
    ),
    NotKnownYet: BUSY,
    QueueFull: BUSY,
    ServerBusy: BUSY,
    StoreBusy: BUSY,
    TooMuchAtOnce: BUSY,
    StoreFull: Problem(507, "store-full", "Store full", "Too little disk space is left to accept anything."),
    UnderMaintenance: Problem(
        503, "maintenance", "Under maintenance", "The server accepts nothing new for now; what runs goes on."
    ),
    StatusChanged: STALE,
    PreconditionFailed: STALE,
    security.ForeignHost: Problem(
        421, "foreign-host", "Foreign host", "A server on a loopback address answers only to a loopback host name."
    ),
    security.ForeignOrigin: Problem(
        403, "foreign-origin", "Foreign origin", "A web page of another site may read from this server, not change it."
    ),
    Unauthenticated: Problem(
        401, "unauthenticated", "Unauthenticated", "This is not for everybody: show a token that is good for it."
    ),
    Forbidden: Problem(403, "forbidden", "Forbidden", "The server knows who asks, and that he may not."),
    ChangesRefused: Problem(
        403, "changes-refused", "Changes refused", "A server open to a network changes nothing without credentials."
    ),
}
FAILURES = {  # by StatusInfo.cause
    "bad-input": BAD_INPUT,
    "time-limit": TOO_LATE,
    "lost": LOST,
    "rebooted": LOST,
    "terminated": LOST,
    "disk-full": DISK_FULL,
    "corrupt": CORRUPT,
    **LIMITS,
}
UNEXPECTED = Problem(500, "server-error", "Server error", "Something failed that should not; the server's log has it.")
PLAIN = {  # what the web framework finds, by status
    400: Problem(400, "bad-request", "Bad request", "The request cannot be understood."),
    404: Problem(404, "not-found", "Not found", "Nothing is served at this address; the landing page links what is."),
    405: Problem(405, "method-not-allowed", "Method not allowed", "The resource is there, and does not do this."),
    406: UNWANTED,
    413: Problem(413, "content-too-large", "Content too large", "The body is larger than the server accepts."),
    416: Problem(416, "range-not-satisfiable", "Range not satisfiable", "The file is shorter than the range."),
}


def everything() -> list[Problem]:
    """All kinds of error that an answer can be."""
    return [*PROBLEMS.values(), *FAILURES.values(), *PLAIN.values(), FAILED, UNEXPECTED]


def types() -> dict[str, Problem]:
    """Those that have a page of ours, by name."""
    return {problem.type: problem for problem in everything() if problem.text}


def problem_of(error: Exception) -> Problem:
    """The row of an exception: its own, or that of the nearest class above it."""
    if isinstance(error, JobFailed):
        return FAILURES.get(error.status_info.cause or "", FAILED)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PROBLEMS[StoreFull]
    if isinstance(error, OSError) and error.errno in OF_THE_DISK:
        return UNAVAILABLE
    home = cast("Geomill", current_app).tenants.default.jobs  # the request may have no tenant, or not yet
    if isinstance(error, OSError | NoSuchProcess | NoSuchTenant) and not home.is_there():
        return UNAVAILABLE  # it is not the process that is not there
    if _exhausted(error):
        return BUSY
    for kind in type(error).__mro__:
        if kind in PROBLEMS:
            return PROBLEMS[kind]
    if isinstance(error, HTTPException) and error.code:
        return PLAIN.get(error.code) or _unnamed(error.code)
    return UNEXPECTED


def _exhausted(error: Exception) -> bool:
    """Whether the host has no more of something that comes back: descriptors, processes, threads, memory."""
    no_file = isinstance(error, sqlite3.OperationalError) and "unable to open" in str(error)
    return no_file or is_scarce(error)


def init_app(app: Flask) -> None:
    """Answer every exception with a problem document."""
    app.register_error_handler(Exception, answer)


def answer(error: Exception) -> Response:
    """An exception as a problem document. exception.yaml, RFC 9457"""
    problem = noted(error)
    said = document(problem, error)
    again = retry_after(problem, error)
    as_page = wants_page(request)
    if as_page and problem.status in (404, 405) and request.method in security.READS and above.only_posted():
        return above.lead()
    if as_page:
        # a form comes back as it was filled in
        response = g.form_again(said, again) if "form_again" in g else pages.error(said, again)
    else:
        response = jsonify(said)
        response.mimetype = _media_type()
    response.status_code = problem.status
    response.headers.extend(headers(error))
    if process_id := getattr(error, "process_id", None) if problem.status in (403, 409) else None:
        response.headers["Location"] = links.to("processes.show", process_id=process_id)
    if again:
        response.headers["Retry-After"] = str(again)
    return response


def headers(error: Exception) -> dict[str, str]:
    """What belongs to the status of an error: 405 says what is allowed, 416 how long the file is, 401 what to show."""
    found: dict[str, str] = {}
    if isinstance(error, HTTPException):
        begun = error.get_response().headers
        found = {name: begun[name] for name in ("Allow", "Content-Range") if name in begun}
    if challenge := getattr(error, "challenge", None):
        found["WWW-Authenticate"] = challenge
    return found


def noted(error: Exception) -> Problem:
    """The problem that an exception is; what the operator should know of it is in the log."""
    problem = problem_of(error)
    if problem is BUSY and _exhausted(error):
        current_app.logger.error("the host is exhausted at %s %s: %s", request.method, request.path, error)
    if problem is UNEXPECTED:
        current_app.logger.error("unexpected error at %s %s", request.method, request.path, exc_info=error)
    elif problem in (PROBLEMS[StoreFull], DISK_FULL):
        _of_full_disks.say(current_app.logger, "no room at %s %s: %s", request.method, request.path, error)
    elif problem is UNAVAILABLE:
        current_app.logger.error("the home cannot be used at %s %s: %s", request.method, request.path, error)
    return problem


def retry_after(problem: Problem, error: Exception) -> int | None:
    """When to try again, in seconds, if that may help."""
    found: int | None = getattr(error, "retry_after", AGAIN.get(problem.type))
    return found


def document(problem: Problem, error: Exception) -> dict[str, Any]:
    """The members of a problem document; an unexpected error keeps its text to itself."""
    job_id = error.status_info.job_id if isinstance(error, JobFailed) else g.get("job_id")
    members = {
        "type": uri(problem),
        "title": problem.title,
        "status": problem.status,
        "detail": _short(_detail(problem, error)),
        "instance": links.to("jobs.show", job_id=job_id) if job_id else None,
    }
    return {key: value for key, value in members.items() if value is not None}


def uri(problem: Problem) -> str:
    """What `type` says: the standard's name for the problem, or the address of its page."""
    return links.to("problems.show", name=problem.type) if problem.text else problem.type


def _detail(problem: Problem, error: Exception) -> str:
    if problem in (UNEXPECTED, UNAVAILABLE) or (problem is BUSY and not hasattr(error, "retry_after")):
        return problem.text
    if isinstance(error, MethodNotAllowed):
        methods = " and ".join(sorted(error.valid_methods or ()))
        return f"{request.path} has no {request.method}, but {methods}."
    if isinstance(error, RequestEntityTooLarge) and error.description == RequestEntityTooLarge.description:
        return f"The body is larger than {request.max_content_length} bytes; give large values by reference."
    if isinstance(error, HTTPException):  # the framework's own words speak to people with browsers
        own = error.description != type(error).description
        return (error.description if own else problem.text) or problem.text or problem.title
    return str(error) or problem.text or problem.title


def _short(text: str) -> str:
    """A text that may repeat what was sent, however long that was."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _unnamed(status: int) -> Problem:
    """What the web framework finds and no row names. about:blank: RFC 9457, 4.2.1"""
    return Problem(status, "about:blank", HTTPStatus(status).phrase)


def _media_type() -> str:
    return PROBLEM if accepted(request).names(PROBLEM) else JSON
