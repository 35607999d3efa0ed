"""The processes: /processes and /processes/{processID}."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from geomill.app import links
from geomill.app.operations import Answer, operation
from geomill.app.pages.process import page
from geomill.app.schemas import ProcessesQuery, ProcessListSchema, ProcessSchema, dump
from geomill.app.schemas.queries import read
from geomill.app.server import current_app

bp = Blueprint("processes", __name__)

DESCRIPTION = Answer("The description of a process.", ProcessSchema)


@bp.get("/processes")
@operation("getProcesses", {200: Answer("The processes.", ProcessListSchema)}, query=ProcessesQuery)
def index() -> Any:
    """The processes. /req/core/process-list"""
    asked = read(ProcessesQuery)
    processes = current_app.processes.list()
    end = asked["offset"] + asked["limit"]
    following = {"offset": end} if end < len(processes) else None
    page = {
        "processes": processes[asked["offset"] : end],
        "number_total": len(processes),
        "links": links.of_page("processes.index", following),
    }
    return dump(ProcessListSchema, page)


@bp.get("/processes/<process_id>")
@operation("getProcessDescription", {200: DESCRIPTION}, (404, 503), page=page)
def show(process_id: str) -> Any:
    """The description of a process. /req/core/process-description-op"""
    return dump(ProcessSchema, current_app.processes.get(process_id))
