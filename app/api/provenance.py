"""Where results come from: /jobs/{jobID}/inputs, /jobs/{jobID}/prov, /jobs/{jobID}/ro-crate.zip."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request

from geomill.app import links, pages
from geomill.app.api.sending import as_it_comes
from geomill.app.exchange import strictjson
from geomill.app.exchange.file_names import attachment, of_job
from geomill.app.negotiation import HTML, JSON, JSON_LD, N_TRIPLES, PROV_N, SHORT_NAMES, TEXT_XML, TURTLE, XML, ZIP
from geomill.app.operations import Answer, operation
from geomill.app.provenance import archive, crate, prov, record
from geomill.app.published import file_of, outputs_of
from geomill.app.schemas import JobInputsSchema, dump
from geomill.app.security import SANDBOX
from geomill.app.server import current_app
from geomill.jobstore import ResultNotReady

bp = Blueprint("provenance", __name__)

ENCODINGS = (JSON, PROV_N, XML, TEXT_XML, TURTLE, JSON_LD, N_TRIPLES)

PROV = (
    "In W3C PROV: an activity is what was done, an entity what was used for it or came of it, an agent who or what"
    " is behind it; the rest says how they belong together."
)
FORMS = {"ttl": "Turtle", "provn": "PROV-N", "xml": "XML", "jsonld": "JSON-LD", "nt": "N-Triples"}


@bp.get("/jobs/<job_id>/inputs")
@operation(
    "getJobInputs",
    {200: Answer("The request.", JobInputsSchema)},
    problems=(404, 410, 503),
    page=pages.plain("What job {job_id} was asked for"),
)
def inputs(job_id: str) -> Any:
    """What the job was asked for, as it was received."""
    job, body = current_app.jobs.job(job_id), strictjson.loads(current_app.jobs.request(job_id))
    asked = {name: body[name] for name in ("response", "subscriber") if body.get(name) is not None}
    wanted = body.get("outputs")
    return dump(
        JobInputsSchema,
        {
            "id": job_id,
            "inputs": body.get("inputs") or {},
            "outputs": wanted if isinstance(wanted, dict) else {name: {} for name in wanted or outputs_of(job)},
            **asked,
            "headers": {"Prefer": job.prefer} if job.prefer else {},
            "links": [links.link(links.to("jobs.show", job_id=job_id), "up", "The status of the job")],
        },
    )


@bp.get("/jobs/<job_id>/prov")
@operation(
    "getJobProvenance",
    {200: Answer("The provenance.", {"type": "object"})},
    problems=(404, 410, 503),
    offers=ENCODINGS,
    page=pages.plain("Where the results of job {job_id} come from", PROV, lambda: ways()),
)
def show(job_id: str) -> Any:
    """What the job did and what came of it, in W3C PROV."""
    run = _run(job_id)
    document = prov.document(run, _addresses(run))
    if g.media_type == HTML:
        return document
    return Response(prov.encode(document, g.media_type), headers=SANDBOX, content_type=g.media_type)


@bp.get("/jobs/<job_id>/ro-crate.zip")
@operation(
    "getROCrate",
    {200: Answer("The crate.", headers=("Content-Disposition",))},
    problems=(404, 410, 503),
    offers=(ZIP,),
    streams=True,
)
def download(job_id: str) -> Any:
    """All of a job that has ended, as an RO-Crate that can be run again."""
    run = _run(job_id)
    finished = run.status.finished
    if finished is None:
        raise ResultNotReady(f"Job {job_id} is {run.status.status.value}; ask again when it has ended.")
    for each in record.published(run.results.values()):
        file_of(job_id, each)  # of what is missing one is told now, not in the middle of the answer
    files = crate.entries(run, prov.encode(prov.document(run, _addresses(run)), JSON))
    headers = {**SANDBOX, "Content-Disposition": attachment(of_job(run.job.process_id, job_id, "ro-crate"))}
    body = as_it_comes(archive.stream(files, finished, run.home), f"the crate of job {job_id}")
    return Response(body, headers=headers, content_type=ZIP)


def ways() -> list[links.Link]:
    """From the page of the provenance to the job, and to the same in other forms."""
    job_id = (request.view_args or {})["job_id"]
    job = links.link(links.to("jobs.show", job_id=job_id), "up", "The job", HTML)
    crate = links.link(links.to("provenance.download", job_id=job_id), "alternate", "The job as an RO-Crate", ZIP)
    forms = [
        links.link(links.to("provenance.show", job_id=job_id, f=name), "alternate", f"As {form}", SHORT_NAMES[name])
        for name, form in FORMS.items()
    ]
    return [job, crate, *forms]


def _run(job_id: str) -> record.Run:
    return record.gather(current_app.jobs, current_app.settings.home / "packages", job_id)


def _addresses(run: record.Run) -> prov.Addresses:
    job_id, retried = run.job.job_id, run.job.retry_of
    return prov.Addresses(
        api=links.to("definition.show"),
        process=links.to("processes.show", process_id=run.job.process_id),
        job=links.to("jobs.show", job_id=job_id),
        retried=links.to("jobs.show", job_id=retried) if retried else None,
        output=lambda output_id: links.to("results.output", job_id=job_id, output_id=output_id),
        file=lambda path: links.to("results.file", job_id=job_id, path=path),
    )
