"""What the types of problems mean: /problems/{name}."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, g, render_template

from geomill.app import errors
from geomill.app.negotiation import HTML, JSON
from geomill.app.operations import Answer, operation
from geomill.app.schemas import ProblemTypeSchema, dump
from geomill.app.security import PAGE

bp = Blueprint("problems", __name__)


@bp.get("/problems/<name>")
@operation(
    "getProblemType",
    {200: Answer("What a type of problem means.", ProblemTypeSchema)},
    problems=(404,),
    offers=(JSON, HTML),
)
def show(name: str) -> Any:
    """What a type of problem means. RFC 9457, 3.1.1"""
    problem = errors.pages().get(name) or abort(404, f"No problem is called {name}.")
    if g.media_type == HTML:
        return Response(render_template("problem.html", problem=problem), headers=PAGE)
    return dump(ProblemTypeSchema, problem)
