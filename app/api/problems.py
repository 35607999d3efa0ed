"""What the types of problems mean: /problems/{name}."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort

from geomill.app import errors, pages
from geomill.app.operations import Answer, operation
from geomill.app.schemas import ProblemTypeSchema, dump

bp = Blueprint("problems", __name__)


@bp.get("/problems/<name>")
@operation(
    "getProblemType",
    {200: Answer("What a type of problem means.", ProblemTypeSchema)},
    problems=(404,),
    page=pages.document("problem.html"),
)
def show(name: str) -> Any:
    """What a type of problem means. RFC 9457, 3.1.1"""
    problem = errors.types().get(name) or abort(404, f"No problem is called {name}.")
    return dump(ProblemTypeSchema, problem)
