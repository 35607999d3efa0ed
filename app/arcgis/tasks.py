"""To run a task: .../submitJob makes a job, .../execute waits for it. Each becomes an ordinary execute request."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, g, request

from geomill.app import links
from geomill.app.api.execution import begin, executable
from geomill.app.arcgis import answers, parameters, values
from geomill.app.arcgis.answers import Field, Form, said
from geomill.app.arcgis.features import check_reference
from geomill.app.arcgis.jobs import outcomes
from geomill.app.arcgis.messages import messages
from geomill.app.arcgis.rings import Steps
from geomill.app.arcgis.services import HIDDEN, TASK, both, bp, check_task, of_task
from geomill.app.arcgis.states import SUBMITTED, esri_id, state
from geomill.app.errors import InvalidQuery, NotExecutable
from geomill.app.exchange.strictjson import loads
from geomill.app.exchange.wording import meant
from geomill.app.operations import Answer, operation
from geomill.jobstore import Status, StatusInfo
from geomill.processes import BadInput
from geomill.processes.registry import Process

__all__ = ["bp"]
REFERENCES = ("outSR", "env:outSR", "processSR", "env:processSR")


@both(f"{TASK}/submitJob")
@operation("submitGPJob", {200: Answer("The job.")}, **HIDDEN)
def submit(process_id: str, task: str) -> Any:
    """Make a job."""
    process = _task(process_id, task)
    if answers.only_shown():
        return _form(process, "arcgis.submit", "Submit the job")
    answers.may_change()
    status = begin(process, _body(process), "respond-async").status
    g.job_id = status.job_id
    if g.f == "html":
        where = links.to("arcgis.job", **of_task(process.id), job_id=status.job_id)
        return Response(status=303, headers={"Location": where, "Cache-Control": "no-store"})
    told = SUBMITTED if status.status is Status.ACCEPTED else state(status)
    return answers.answer({"jobId": esri_id(status.job_id), "jobStatus": told}, "Job")


@both(f"{TASK}/execute")
@operation("executeGPTask", {200: Answer("The results.")}, **HIDDEN)
def execute(process_id: str, task: str) -> Any:
    """Make a job, and wait for its results."""
    process = _task(process_id, task)
    if answers.only_shown():
        return _form(process, "arcgis.execute", "Execute")
    answers.may_change()
    if "sync-execute" not in process.description["jobControlOptions"]:
        raise NotExecutable(f"The task {process.id} cannot be waited for: use submitJob.")
    begun = begin(process, _body(process), None)
    status = begun.status
    g.job_id = status.job_id
    if not begun.waited:
        return _goes_on(process, status)
    found = {"results": list(outcomes(status)), "messages": messages(status)}
    where = links.to("arcgis.job", **of_task(process.id), job_id=status.job_id)
    return answers.answer(found, f"Results of {process.id}", above=(where, f"The job {esri_id(status.job_id)}"))


def _task(process_id: str, task: str) -> Process:
    process = executable(process_id)
    check_task(process_id, task)
    return process


def _goes_on(process: Process, status: StatusInfo) -> Response:
    """What is said of a job that takes longer than anybody waits for it."""
    g.status = 504
    where = links.to("arcgis.job", **of_task(process.id), job_id=status.job_id)
    details = [f"It goes on as the job {esri_id(status.job_id)}: {where}", "Use submitJob for what takes long."]
    error = answers.mistake(504, "The task takes longer than this server waits.", *details)
    return answers.answer(error, "It goes on", above=(where, "The job"))


def _body(process: Process) -> bytes:
    """The execute request that the parameters are. Raises BadInput, InvalidQuery."""
    inputs = process.description.get("inputs") or {}
    named = {**{each: each for each in inputs if each not in parameters.OPTIONS}, **parameters.names(inputs)}
    for name in request.values:
        if name not in named and name not in parameters.OPTIONS:
            raise BadInput(name, f"is no parameter of this task.{meant(name, named)}")
    for name in ("env:outSR", "env:processSR", "context"):
        _check_reference(name, said(name))
    given, steps = {}, Steps()
    for name, input_id in named.items():
        if (text := said(name)) != "":  # forms send what was left empty
            if input_id in given:
                raise BadInput(input_id, f"is given twice, as {name}, too.")
            described = inputs[input_id]
            given[input_id] = values.read(input_id, text, described, parameters.data_type(described), steps)
    return json.dumps({"inputs": given}, ensure_ascii=False).encode()


def _check_reference(name: str, text: str) -> None:
    """Raises InvalidQuery for a spatial reference other than longitudes and latitudes."""
    if not text:
        return
    try:
        asked = loads(text.encode())
        wanted = [asked.get(each) for each in REFERENCES] if name == "context" and isinstance(asked, dict) else [asked]
        for each in wanted:
            check_reference(each)
    except ValueError as error:
        raise InvalidQuery(f"{name}: {error}") from None


def _form(process: Process, endpoint: str, submit: str) -> Response:
    """A form with a field for each parameter, as far as the address fills it in."""
    at = of_task(process.id)
    fields = [_field(each) for each in parameters.of_process(process.description) if "Input" in each["direction"]]
    form = Form(links.to(endpoint, **at), submit, tuple(fields))
    above = (links.to("arcgis.task", **at), "The task")
    title = f"{submit}: {process.description.get('title') or process.id}"
    return answers.answer({}, title, forms=[form], above=above)


def _field(parameter: dict[str, Any]) -> Field:
    kind, value = parameter["dataType"], parameter["defaultValue"]
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    options = ("true", "false") if kind == values.FLAG else tuple(parameter.get("choiceList", ()))
    needed = parameter["parameterType"] == "esriGPParameterTypeRequired"
    return Field(
        parameter["name"],
        f"{parameter['displayName']} ({kind})",
        parameter["description"],
        said(parameter["name"]) or text,
        () if kind.startswith(values.MANY) else options if needed or not options else ("", *options),
        required=needed,
        long=kind.removeprefix(values.MANY) == values.FEATURES,
    )
