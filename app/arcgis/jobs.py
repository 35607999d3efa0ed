"""A job as a task has it: .../jobs/{jobId}, its results and inputs, and how it is cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import Response, g
from werkzeug.exceptions import NotFound

from geomill.app import links
from geomill.app.api.results import asked_of, one, sent
from geomill.app.arcgis import answers, parameters, values
from geomill.app.arcgis.answers import Form, said
from geomill.app.arcgis.features import NotEsri
from geomill.app.arcgis.messages import messages
from geomill.app.arcgis.services import HIDDEN, TASK, both, bp, check_task, of_task
from geomill.app.arcgis.states import EXECUTING, esri_id, state
from geomill.app.exchange import InvalidRequest, nested, outputs
from geomill.app.exchange.media_types import extension
from geomill.app.exchange.wording import meant
from geomill.app.identity import owners
from geomill.app.operations import Answer, operation
from geomill.app.published import asked_for, description_of, outputs_of, published
from geomill.app.server import current_app
from geomill.jobstore import Job, NoSuchJob, Result, Status, StatusInfo

JOB = f"{TASK}/jobs/<gp_job:job_id>"


@both(JOB)
@operation("getGPJob", {200: Answer("The job.")}, **HIDDEN)
def job(process_id: str, task: str, job_id: str) -> Any:
    """How a job stands, what it said, and where its results are."""
    info = job_of(process_id, job_id, task)
    may_read = owners.may("getGPInput", info.owner) and not info.expired
    found = list(_results(job_id)) if info.status is Status.SUCCESSFUL and not info.expired else []
    given = list(_inputs(job_id)) if may_read else []
    document: dict[str, Any] = {"jobId": esri_id(job_id), "jobStatus": state(info)}
    if document["jobStatus"] == EXECUTING:
        document["progress"] = _progress(info)
    if info.status is Status.SUCCESSFUL:
        document["results"] = {name: {"paramUrl": f"results/{name}"} for name in found}
    if may_read:
        document["inputs"] = {name: {"paramUrl": f"inputs/{name}"} for name in given}
    document["messages"] = messages(info) if said("returnMessages").lower() != "false" else []
    at = of_task(process_id)
    leads = [(links.to("arcgis.result", **at, job_id=job_id, name=name), f"Result {name}") for name in found]
    leads += [(links.to("arcgis.results", **at, job_id=job_id), "All results")] if found else []
    leads += [(links.to("arcgis.given", **at, job_id=job_id, name=name), f"Input {name}") for name in given]
    leads += [(links.to("arcgis.inputs", **at, job_id=job_id), "All inputs")] if given else []
    leads.append((links.to("jobs.show", job_id=job_id), "The job on its own page, which renews itself"))
    forms = [_cancel(at, job_id)] if not info.status.final and owners.may("cancelGPJob", info.owner) else []
    above = (links.to("arcgis.task", **at), f"The task {process_id}")
    return answers.answer(document, f"Job {esri_id(job_id)}", leads=leads, forms=forms, above=above)


@both(f"{JOB}/results")
@operation("getGPResults", {200: Answer("All results.")}, **HIDDEN)
def results(process_id: str, task: str, job_id: str) -> Any:
    """All results of a job."""
    info = job_of(process_id, job_id, task)
    return _of_job(list(outcomes(info)), info, "Results")


@both(f"{JOB}/results/<name>")
@operation("getGPResult", {200: Answer("A result.")}, **HIDDEN)
def result(process_id: str, task: str, job_id: str, name: str) -> Any:
    """One result of a job; f=geojson gives it as the process gave it."""
    info = job_of(process_id, job_id, task)
    given, (job, execution) = current_app.jobs.results(job_id), asked_of(job_id)
    described = outputs_of(job, given)
    output_id = _names(job, described).get(name, name)
    if g.f == "geojson":
        return one(job_id, output_id)
    found = outputs.pick(given, execution, described, output_id)
    return _of_job(_outcome(info, job, name, output_id, found), info, name)


@both(f"{JOB}/inputs")
@operation("getGPInputs", {200: Answer("All inputs.")}, **HIDDEN)
def inputs(process_id: str, task: str, job_id: str) -> Any:
    """All inputs of a job, as they were received."""
    info, found = job_of(process_id, job_id, task), _inputs(job_id)
    return _of_job([_input(name, *each) for name, each in found.items()], info, "Inputs")


@both(f"{JOB}/inputs/<name>")
@operation("getGPInput", {200: Answer("An input.")}, **HIDDEN)
def given(process_id: str, task: str, job_id: str, name: str) -> Any:
    """One input of a job, as it was received."""
    info, found = job_of(process_id, job_id, task), _inputs(job_id)
    if name not in found:
        raise NotFound(f"The job was given no input {name!r:.80}.{meant(name, found)}")
    return _of_job(_input(name, *found[name]), info, name)


@both(f"{JOB}/cancel")
@operation("cancelGPJob", {200: Answer("The job is cancelled, or is being cancelled.")}, **HIDDEN)
def cancel(process_id: str, task: str, job_id: str) -> Any:
    """Cancel a job that waits or runs; it stays where it is."""
    info, at = job_of(process_id, job_id, task), of_task(process_id)
    if answers.only_shown():
        return answers.answer({}, f"Cancel job {esri_id(job_id)}", forms=[_cancel(at, job_id)])
    answers.may_change()
    ended = info.status.final
    info = info if ended else current_app.engine.dismiss(job_id)
    if ended or info.status in (Status.SUCCESSFUL, Status.FAILED):
        raise InvalidRequest(f"Job {esri_id(job_id)} has ended, {info.status.value}: there is nothing to cancel.")
    above = (links.to("arcgis.job", **at, job_id=job_id), "The job")
    return answers.answer({"jobId": esri_id(job_id), "jobStatus": state(info)}, "Cancelled", above=above)


@bp.get(f"{JOB}/files/<path:path>")
@operation("getGPFile", {200: Answer("A file.")}, **HIDDEN)
def file(process_id: str, task: str, job_id: str, path: str) -> Any:
    """A file of the results, for clients that show their token in the address."""
    job_of(process_id, job_id, task)
    found = published(job_id, path)
    return sent(job_id, outputs.Answer(media_type=found.media_type, file=found))


def job_of(process_id: str, job_id: str, task: str | None = None) -> StatusInfo:
    """Where a job of a service stands. Raises NoSuchJob, also for one of another service."""
    if task is not None:
        check_task(process_id, task)
    info = current_app.jobs.status(job_id)
    if info.process_id != process_id:
        raise NoSuchJob(job_id)
    return info


def outcomes(info: StatusInfo) -> Iterator[dict[str, Any]]:
    """All results of a job. Raises what `results` raises."""
    job = current_app.jobs.job(info.job_id)
    for name, (output_id, found) in _results(info.job_id).items():
        yield _outcome(info, job, name, output_id, found)


def _results(job_id: str) -> dict[str, tuple[str, Result]]:
    """The results that a job was asked for, by the names of parameters, each with the id of its output."""
    found = asked_for(job_id)
    job = current_app.jobs.job(job_id)
    named = _names(job, outputs_of(job, found))
    return {name: (output_id, found[output_id]) for name, output_id in named.items() if output_id in found}


def _names(job: Job, output_ids: list[str]) -> dict[str, str]:
    """The ids of outputs by the names of parameters."""
    return parameters.names(output_ids, parameters.names((description_of(job) or {}).get("inputs") or {}))


def _outcome(info: StatusInfo, job: Job, name: str, output_id: str, found: Result) -> dict[str, Any]:
    described = ((description_of(job) or {}).get("outputs") or {}).get(output_id)
    kind = parameters.data_type(described) if described else values.STRING if found.file is None else values.FILE
    try:
        value = _value(info, found, kind)
    except NotEsri:  # the standard has a way out: an address
        at = {**of_task(info.process_id), "job_id": info.job_id}
        value = {"url": links.of_query(links.to("arcgis.result", **at, name=name), {"f": "geojson"})}
    return {"paramName": name, "dataType": kind, "value": value}


def _value(info: StatusInfo, found: Result, kind: str) -> Any:
    """A result as a value of this data type; a file by the address that it has here."""

    def at(path: str) -> str:
        named = {**of_task(info.process_id), "job_id": info.job_id}
        return links.to("arcgis.file", **named, path=path)

    if found.file is not None:
        format_ = {"format": extension(found.media_type).lstrip(".")} if kind.endswith(values.RASTER) else {}
        return {"url": found.href or at(found.file), **format_}
    if nested.is_nested(found):
        return values.shown(nested.settled(found, at, None).value, values.STRING)
    if found.items is not None:
        return [_value(info, each, kind.removeprefix(values.MANY)) for each in found.items]
    return values.shown(found.value, kind)


def _inputs(job_id: str) -> dict[str, tuple[Any, str]]:
    """What a job was given, by the names of parameters: values, and their data types."""
    job, execution = asked_of(job_id)
    described = (description_of(job) or {}).get("inputs") or {}
    named = {input_id: name for name, input_id in parameters.names(described or execution.inputs).items()}
    kinds = {input_id: parameters.data_type(each) for input_id, each in described.items()}
    return {named.get(each, each): (value, kinds.get(each, values.STRING)) for each, value in execution.inputs.items()}


def _input(name: str, value: Any, kind: str) -> dict[str, Any]:
    """An input as it would be given; GeoJSON that is no feature set as it was."""
    with suppress(NotEsri):
        value = values.as_given(value, kind)
    return {"paramName": name, "dataType": kind, "value": value}


def _of_job(document: Any, info: StatusInfo, title: str) -> Response:
    at = {**of_task(info.process_id), "job_id": info.job_id}
    above = (links.to("arcgis.job", **at), f"The job {esri_id(info.job_id)}")
    return answers.answer(document, title, above=above)


def _progress(info: StatusInfo) -> dict[str, Any]:
    if info.progress is None:
        return {"type": "default", "message": info.message or "Executing..."}
    return {"type": "step", "message": info.message or "Executing...", "percent": info.progress}


def _cancel(at: dict[str, str], job_id: str) -> Form:
    return Form(links.to("arcgis.cancel", **at, job_id=job_id), "Cancel the job", danger=True)
