"""What there is: /arcgis/rest/info, the catalogue of services, each service, which is a process, and its one task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint
from werkzeug.exceptions import NotFound

from geomill.app import links
from geomill.app.arcgis import answers, parameters, tokens
from geomill.app.arcgis.parameters import identifier
from geomill.app.operations import Answer, operation
from geomill.app.server import current_app
from geomill.processes.registry import Process

bp = Blueprint("arcgis", __name__, url_prefix=f"{answers.PREFIX}/rest")

VERSION, FULL_VERSION = 11.1, "11.1.0"  # whose documents these are
SERVICE = "/services/<process_id>/GPServer"
TASK = f"{SERVICE}/<task>"
View = Callable[..., Any]
HIDDEN: dict[str, Any] = {"offers": (), "documented": False}


def both(path: str) -> Callable[[View], View]:
    """GET, and POST for clients that send everything by it; a rule for each method."""

    def register(view: View) -> View:
        bp.add_url_rule(path, view.__name__, view, methods=["GET"])
        bp.add_url_rule(path, view.__name__, view, methods=["POST"])
        return view

    return register


@both("/info")
@operation("getArcGISInfo", {200: Answer("What this is.")}, **HIDDEN)
def info() -> Any:
    """What this is, and whether it wants a token."""
    document = {"currentVersion": VERSION, "fullVersion": FULL_VERSION, "authInfo": tokens.information()}
    return answers.answer(document, "Server", leads=[(links.to("arcgis.catalogue"), "The services")])


@both("/services")
@operation("getGPServices", {200: Answer("The services.")}, **HIDDEN)
def catalogue() -> Any:
    """The services: one for each process; above them the same, for who comes from there."""
    processes = current_app.processes.list()
    services = [{"name": each.id, "type": "GPServer"} for each in processes]
    leads = [(links.to("arcgis.service", process_id=each.id), each.id) for each in processes]
    return answers.answer({"currentVersion": VERSION, "folders": [], "services": services}, "Services", leads=leads)


for method in ("GET", "POST"):
    bp.add_url_rule("", "start", catalogue, methods=[method])


@both(SERVICE)
@operation("getGPService", {200: Answer("A service.")}, **HIDDEN)
def service(process_id: str) -> Any:
    """A service: its one task is called as the process."""
    process = current_app.processes.get(process_id)
    document = {
        "currentVersion": VERSION,
        "cimVersion": "3.1.0",
        "serviceDescription": _text(process),
        "tasks": [identifier(process.id)],
        "executionType": _execution(process),
        "resultMapServerName": "",
        "maximumRecords": 1000,
        "capabilities": "",
    }
    at = {"process_id": process.id}
    leads = [(links.to("arcgis.task", **at, task=identifier(process.id)), f"The task {process.id}"),
            (links.to("arcgis_admin.jobs", **at), "Its jobs, for who runs the server")]  # fmt: skip
    above = (links.to("arcgis.catalogue"), "The services")
    return answers.answer(document, f"Service {process.id}", leads=leads, above=above)


@both(TASK)
@operation("getGPTask", {200: Answer("A task.")}, **HIDDEN)
def task(process_id: str, task: str) -> Any:
    """A task, and the parameters that it takes and gives."""
    process = current_app.processes.get(process_id)
    check_task(process_id, task)
    document: dict[str, Any] = {
        "name": identifier(process.id),
        "displayName": process.description.get("title") or process.id,
        "description": _text(process),
        "category": "",
        "helpUrl": links.to("processes.show", process_id=process.id),
        "executionType": _execution(process),
        "parameters": parameters.of_process(process.description),
    }
    at = of_task(process.id)
    leads = [(links.to("arcgis.submit", **at), "Submit a job"), (links.to("arcgis.execute", **at), "Execute, and wait")]
    above = (links.to("arcgis.service", process_id=process.id), f"Service {process.id}")
    legible = {**document, "parameters": [_row(each) for each in document["parameters"]]}
    title = f"Task {document['displayName']}"
    return answers.answer(document, title, leads=leads, above=above, legible=legible)


def _row(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter as a row of a table."""
    told = {name: parameter[name] for name in ("name", "dataType", "displayName", "description", "defaultValue")}
    return {**told, "parameterType": parameter["parameterType"].removeprefix("esriGPParameterType")}


def check_task(process_id: str, task: str) -> None:
    """Raises NotFound for a task that the service does not have."""
    if task not in (process_id, identifier(process_id)):
        raise NotFound(f"The service {process_id} has the task {identifier(process_id)} alone, and no {task!r:.80}.")


def of_task(process_id: str) -> dict[str, str]:
    """What the address of a task is made of."""
    return {"process_id": process_id, "task": identifier(process_id)}


def _text(process: Process) -> str:
    return str(process.description.get("description") or process.description.get("title") or "")


def _execution(process: Process) -> str:
    """How the task is run by who has no wish: as a job, where it can be one."""
    waits = "async-execute" not in process.description["jobControlOptions"]
    return "esriExecutionTypeSynchronous" if waits else "esriExecutionTypeAsynchronous"
