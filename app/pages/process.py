"""The page of a process: what it is, the form to run it, and the request that the form makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Response, current_app, request

from geomill.app import links, pages
from geomill.app.exchange import InvalidRequest, inputs, strictjson
from geomill.app.exchange.request import ExecuteRequest
from geomill.app.identity import owners
from geomill.app.pages import runs, turns
from geomill.app.pages import workflow as pictured
from geomill.app.pages.form.entries import Entries
from geomill.app.pages.form.form import MARK, Form, Reading, form_of
from geomill.app.pages.form.shown import Shown
from geomill.app.pages.form.snippets import Snippets, laid_out
from geomill.app.pages.form.wording import kind
from geomill.app.runners import RUNNERS
from geomill.app.server import current_app as geomill
from geomill.app.uploads.asked import held, href_check, uploads_of
from geomill.processes import BadInput

Description = Mapping[str, Any]
MOST_CHECKED = 50_000  # bytes of a request that is checked before it is sent
LACKING = re.compile(r'lacks the member "(.*)"\.', re.DOTALL)  # as exchange.explain says it of an object


@dataclass(frozen=True)
class Checked:
    """What a form says, held against the process as any request is. errors: by the name of the field; "": of none.

    body: the execute request; asked: the same, read; None where it cannot be; given: the uploads that it names.
    """

    reading: Reading
    body: bytes
    asked: ExecuteRequest | None
    given: Mapping[str, Path]
    errors: dict[str, str] = field(default_factory=dict)


def page(document: Description) -> Response:
    """The page of a process, its form filled in with the request of a job where the address names one."""
    form = form_of(document)
    job_id = request.args.get("from")
    if not job_id:
        return show(document, form, form.begin())
    entries = _of_job(form, job_id)
    small = len(geomill.jobs.request(job_id)) <= MOST_CHECKED
    errors = checked(document, entries).errors if small else {}  # an upload of it may be gone
    response = show(document, form, entries, errors)
    response.cache_control.no_store = True  # what it was asked for is its owner's
    return response


def show(
    document: Description, form: Form, entries: Entries, errors: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """The page with a form as it stands. more: status, focus, problem, turn."""
    reading, process_id = form.read(entries), document["id"]
    deployed = geomill.processes.deployed if document["mutable"] else None
    workflow = deployed.workflow(process_id) if deployed else None
    change = links.to("forms.change", process_id=process_id)
    return pages.render(
        "process.html",
        more.pop("status", 200),
        document=document,
        mark=MARK,
        kind=kind,
        runs=runs.of(process_id),
        told=runs.sentence,
        form=Shown(form, entries, errors or {}, more.pop("focus", None), change, held),
        snippets=snippets(process_id, reading),
        has=current_app.view_functions,
        problem=more.get("problem"),
        turn=more.get("turn"),
        runs_here=deployed is None or deployed.get(process_id).runner in RUNNERS,
        workflow=workflow,
        picture=pictured.picture(workflow) if workflow else None,
        steps=pictured.words(workflow) if workflow else (),
    )


def again(document: Description, entries: Entries, errors: Mapping[str, str]) -> Response:
    """The form as it was filled in, with what is wrong."""
    response = show(document, form_of(document), entries, errors, status=400)
    response.cache_control.no_store = True
    return response


def refused(
    document: Description, entries: Entries, problem: Mapping[str, Any], retry_after: int | None = None
) -> Response:
    """The form as it was filled in, with the problem why the server did not take what is right with it."""
    kind = problem["type"].rpartition("/")[2]
    turn = turns.of(problem["status"], kind, retry_after, problem.get("detail", ""))
    response = show(document, form_of(document), entries, status=problem["status"], problem=problem, turn=turn)
    response.cache_control.no_store = True
    return response


def snippets(process_id: str, reading: Reading) -> Snippets:
    """The request of a form, for other programs."""
    address = links.to("execution.execute", process_id=process_id)
    return Snippets(address, reading.request, reading.prefer, token=geomill.identity.knows())


def checked(description: Description, entries: Entries) -> Checked:
    """What a form asks for, and all that is wrong with it."""
    reading = form_of(description).read(entries)
    body = laid_out(reading.request).encode()
    errors = dict(reading.errors)
    given: Mapping[str, Path] = {}
    try:
        asked = inputs.read(body)
    except InvalidRequest as error:
        return Checked(reading, body, None, given, {"": str(error), **errors})
    found: list[InvalidRequest | BadInput] = []
    try:
        given = uploads_of(asked)
    except BadInput as error:
        found.append(error)
    found += inputs.problems(asked, description, href_check(given))
    for problem in found:
        name, sentence = _told(reading, problem)
        errors.setdefault(name, sentence)
    ordered = dict(sorted(errors.items(), key=lambda error: reading.place_of(error[0])))
    return Checked(reading, body, asked, given, ordered)


def _told(reading: Reading, problem: InvalidRequest | BadInput) -> tuple[str, str]:
    """The field that a problem is about, and a sentence to stand there."""
    if not isinstance(problem, BadInput):
        return "", str(problem)
    path, sentence = problem.path, problem.message.removeprefix(problem.path).strip()
    if lacking := LACKING.fullmatch(sentence):
        path, sentence = f"{path}.{lacking[1]}".removeprefix("."), "is required and was not given."
    return reading.name_of(problem.input_id, path), sentence


def _of_job(form: Form, job_id: str) -> Entries:
    """The form with the request of a job, for those who may see that. Raises NoSuchJob, Forbidden, JobExpired."""
    owners.check(geomill, job_id, own=True)
    job, body = geomill.jobs.job(job_id), strictjson.loads(geomill.jobs.request(job_id))
    return form.fill(body, sync="respond-async" not in (job.prefer or ""))
