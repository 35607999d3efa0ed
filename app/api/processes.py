"""The processes: /processes and /processes/{processID}."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from geomill.app import links
from geomill.app.operations import Answer, operation
from geomill.app.pages import process, process_list
from geomill.app.schemas import ProcessesQuery, ProcessListSchema, ProcessSchema, dump
from geomill.app.schemas.queries import read
from geomill.app.server import current_app
from geomill.app.written import once
from geomill.processes.registry import Process

bp = Blueprint("processes", __name__)

PROCESSES = Answer("The processes.", ProcessListSchema)
DESCRIPTION = Answer("The description of a process.", ProcessSchema)


@bp.get("/processes")
@operation("getProcesses", {200: PROCESSES}, query=ProcessesQuery, page=process_list.page)
def index() -> Any:
    """The processes. /req/core/process-list"""
    known = current_app.processes.list()
    return once(tuple(known), lambda: _part(known))


def _part(known: list[Process]) -> dict[str, Any]:
    """Those that are asked for."""
    asked = read(ProcessesQuery)
    processes = [each for each in known if _is_asked_for(each, asked)]
    end = asked["offset"] + asked["limit"]
    following = {"offset": end} if end < len(processes) else None
    page = {
        "processes": processes[asked["offset"] : end],
        "number_total": len(processes),
        "links": links.of_page("processes.index", following),
    }
    return dump(ProcessListSchema, page)


@bp.get("/processes/<process_id>")
@operation("getProcessDescription", {200: DESCRIPTION}, (404, 503), page=process.page)
def show(process_id: str) -> Any:
    """The description of a process. /req/core/process-description-op"""
    process = current_app.processes.get(process_id)
    return once(process, lambda: dump(ProcessSchema, process))


def _is_asked_for(process: Process, asked: dict[str, Any]) -> bool:
    """Whether a process has the keywords, and all the words somewhere, in large letters or small ones."""
    said = process.description
    keywords = [str(word).lower() for word in said.get("keywords") or ()]
    if not all(word.lower() in keywords for word in asked["keyword"]):
        return False
    text = " ".join([process.id, str(said.get("title", "")), str(said.get("description", "")), *keywords]).lower()
    return all(word in text for word in asked["q"].lower().split())
