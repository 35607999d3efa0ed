"""Results: /jobs/{jobID}/results, one output of them, one value of an output."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from geomill.app import links
from geomill.app.api.sending import as_it_comes, file_answer
from geomill.app.exchange import nested, outputs, prefer
from geomill.app.exchange.accept import Accept
from geomill.app.exchange.file_names import attachment, of_job
from geomill.app.exchange.media_types import extension
from geomill.app.exchange.representations import representations
from geomill.app.exchange.request import ExecuteRequest, read
from geomill.app.negotiation import ANY, HTML, JSON, ZIP, accepted, chosen
from geomill.app.operations import Answer, operation
from geomill.app.pages import results as page
from geomill.app.provenance import archive
from geomill.app.provenance.crate import Entry
from geomill.app.published import asked_for, file_of, outputs_of, published, there
from geomill.app.schemas import ResultsQuery, ResultsSchema
from geomill.app.schemas.queries import read as read_query
from geomill.app.security import SANDBOX
from geomill.app.server import current_app
from geomill.jobstore import Job, Result, ResultNotAvailable, StatusInfo

bp = Blueprint("results", __name__)

HEADERS = ("Link", "Location", "Preference-Applied")
DOCUMENT_OR_VALUE = {"anyOf": [ResultsSchema, {}]}  # a bare value can be any JSON
WHOLE = {
    200: Answer("The results.", DOCUMENT_OR_VALUE, (JSON, outputs.MULTIPART, ANY), (*HEADERS, "Content-Disposition")),
    204: Answer("Nothing, or links to the outputs in the header.", media_types=(), headers=HEADERS),
}
PARTS = {206: Answer("A part of the file.", media_types=(ANY,), headers=("Content-Range",))}
VALUE = {200: Answer("The value.", media_types=(ANY,), headers=("Content-Disposition", "ETag")), **PARTS}
FAILURES = (404, 410, 416, 503, 504)


@bp.get("/jobs/<job_id>/results")
@operation("getResult", {**WHOLE, **PARTS}, FAILURES, query=ResultsQuery, headers=("Prefer", "Range"), offers=())
def show(job_id: str) -> Any:
    """The results of a job. /req/core/job-results-op"""
    liked = chosen(request, (JSON, HTML, ZIP))  # a page, or all in a file, only for who likes that better
    if liked == HTML:
        return page.page(job_id)
    if liked == ZIP:
        response = _everything(job_id)
    else:
        response = delivered(current_app.jobs.status(job_id), asked_of(job_id), sync=False)
    response.vary.add("Accept")
    return response


@bp.get("/jobs/<job_id>/results/<output_id>")
@operation("getOutput", VALUE, FAILURES, headers=("Range",), offers=())
def output(job_id: str, output_id: str) -> Any:
    """One output of a job. /req/core/job-result-op"""
    return one(job_id, output_id)


@bp.get("/jobs/<job_id>/results/<output_id>/<int:number>")
@operation("getOutputValue", VALUE, FAILURES, headers=("Range",), offers=())
def item(job_id: str, output_id: str, number: int) -> Any:
    """One value of an output that has several, counted from 0."""
    return one(job_id, output_id, number)


@bp.get("/jobs/<job_id>/files/<path:path>")
@operation("getFile", VALUE, FAILURES, headers=("Range",), offers=(ANY,))
def file(job_id: str, path: str) -> Any:
    """One file of the results of a job, by the path it was published under."""
    found = published(job_id, path)
    return sent(job_id, outputs.Answer(media_type=found.media_type, file=found))


def delivered(status: StatusInfo, asked: tuple[Job, ExecuteRequest], *, sync: bool) -> Response:
    """The results of a job, as its request and this one want them. sync: this is the execution itself."""
    job_id, results, (job, execution) = status.job_id, current_app.jobs.results_of(status), asked
    output_ids = outputs_of(job, results)
    chosen = read_query(ResultsQuery)["outputs"]
    if chosen is not None and not sync:
        execution = outputs.narrow(execution, output_ids, chosen)
    header = request.headers.get("Prefer")
    preference = prefer.parse(header)
    if preference.returns is None:
        preference = prefer.parse(job.prefer)
    reply = outputs.answer(
        results, execution, preference, accepted(request), described=output_ids, sync=sync, **_reach(job_id)
    )
    response = sent(job_id, reply)
    if honoured := prefer.applied(header, *reply.honoured, *(("wait",) if sync else ())):
        response.headers["Preference-Applied"] = honoured
    if sync:
        _name_job(response, job_id, execution)
    return response


def document(job_id: str) -> bytes:
    """The results document of a job, whatever form of answer its request wants. results.yaml

    Raises what `JobStore.results` raises.
    """
    results, job, execution = current_app.jobs.results(job_id), *asked_of(job_id)
    if execution.wants_nothing:
        return b"{}"
    wanted, preference = replace(execution, response="document"), prefer.parse(job.prefer)
    whole = {"described": outputs_of(job, results), "sync": False, **_reach(job_id)}
    try:
        return outputs.answer(results, wanted, preference, Accept.parse(None), **whole).body or b"{}"
    except ResultNotAvailable:  # of the one output that it wants there is nothing
        return b"{}"


def one(job_id: str, output_id: str, number: int | None = None) -> Response:
    """One output of a job, or the number-th value of it, as the client accepts it."""
    results, job, execution = current_app.jobs.results(job_id), *asked_of(job_id)
    result = results.get(output_id)
    zipped = request.args.get("f") == "zip" or accepted(request).names(ZIP)
    if result is not None and result.folder is not None and zipped:
        return _archive(job_id, outputs.pick(results, execution, outputs_of(job, results), output_id, number))
    reply = outputs.single(
        results, execution, accepted(request), output_id, number, described=outputs_of(job, results), **_reach(job_id)
    )
    return sent(job_id, reply)


def asked_of(job_id: str) -> tuple[Job, ExecuteRequest]:
    """What a job was asked for."""
    return current_app.jobs.job(job_id), read(current_app.jobs.request(job_id))


def _reach(job_id: str) -> dict[str, Any]:
    """How an answer gets at outputs: by address and by content."""
    return {
        "link": partial(_address, job_id),
        "at": lambda path: links.to("results.file", job_id=job_id, path=path),
        "read": partial(_content, job_id),
    }


def _content(job_id: str, result: Result) -> bytes:
    with there(job_id, result):
        return current_app.inlining.read(file_of(job_id, result), result.size or 0)


def _address(job_id: str, output_id: str, number: int | None = None) -> str:
    if number is None:
        return links.to("results.output", job_id=job_id, output_id=output_id)
    return links.to("results.item", job_id=job_id, output_id=output_id, number=number)


def sent(job_id: str, reply: outputs.Answer) -> Response:
    """An answer of the exchange as Flask's; what a process wrote runs no script of ours."""
    if reply.file is not None:
        path = file_of(job_id, reply.file)
        with there(job_id, reply.file):
            response = file_answer(path, reply.media_type, download_name=path.name)
    else:
        response = Response(reply.body, reply.status, content_type=reply.media_type)
        if reply.media_type is None:
            del response.headers["Content-Type"]
    response.headers.extend([*reply.headers, *SANDBOX.items()])
    return response


def _everything(job_id: str) -> Response:
    """All outputs as a zip: files as they were published, values as JSON or text."""
    entries: dict[str, Entry] = {}
    at = _reach(job_id)["at"]
    for output_id, result in asked_for(job_id).items():
        files = list(result.files())
        entries |= {str(file.file): Entry(str(file.file), file_of(job_id, file), file.media_type) for file in files}
        if not files:
            media_type, content = representations(nested.settled(result, at, None))[0]
            name = output_id + (extension(media_type) or ".json")
            while name in entries:
                name = f"_{name}"
            entries[name] = Entry(name, content, media_type)
    return _zipped(job_id, list(entries.values()))


def _archive(job_id: str, result: Result) -> Response:
    """A folder as a zip."""
    start = len(f"{result.folder}/")
    entries = [Entry(str(file.file)[start:], file_of(job_id, file), file.media_type) for file in result.listing or ()]
    return _zipped(job_id, entries, str(result.folder))


def _zipped(job_id: str, entries: list[Entry], *part: str) -> Response:
    """part: the name of the part of the results that it is."""
    job = current_app.jobs.job(job_id)
    body = archive.stream(entries, job.created, str(current_app.settings.home))
    body = as_it_comes(body, f"the zip of job {job_id}")
    disposition = {"Content-Disposition": attachment(of_job(job.process_id, job_id, *part))}
    return Response(body, content_type=ZIP, headers={**SANDBOX, **disposition})


def _name_job(response: Response, job_id: str, execution: ExecuteRequest) -> None:
    """Say which job a synchronous answer came from. /req/core/job-results-success-sync

    In Location for version 1.0, whose test suite cannot read a Link; in a Link for 2.0.
    """
    monitor = links.to("jobs.show", job_id=job_id)
    if execution.style_1_0:
        response.headers["Location"] = monitor
    else:
        response.headers.add("Link", f'<{monitor}>; rel="monitor"; type="{JSON}"')
