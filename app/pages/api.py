"""The API definition for people: every operation, with a form that tries it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import quote

from flask import Response, render_template
from markupsafe import Markup

from geomill.app import links, openapi, pages
from geomill.app.identity.roles import Role
from geomill.app.pages import landing
from geomill.app.server import Geomill, current_app

Json = dict[str, Any]
SHOWN = 20  # jobs that are offered for a parameter


def page(document: Json) -> Response:
    """The page of the definition."""
    operations = _operations(current_app, document["servers"][0]["url"], current_app.identity.nobody().role)
    jobs = [info.job_id for info in landing.jobs()]
    names = [each.id for each in current_app.processes.list()[:SHOWN]]
    return pages.render("api.html", api=document, operations=operations, jobs=jobs, names=names)


def called(definition: Json, operation_id: str, given: dict[str, str]) -> str | None:
    """Where a form of an operation that reads leads a browser without scripts; None where there is no such operation.

    given: by the names of its fields, "path.jobID".
    """
    for path, methods in definition["paths"].items():
        if methods.get("get", {}).get("operationId") == operation_id:
            for name in (each["name"] for each in methods["get"]["parameters"] if each["in"] == "path"):
                path = path.replace(f"{{{name}}}", quote(given.get(f"path.{name}", ""), safe=""))
            asked = {name.removeprefix("query."): each for name, each in given.items() if name.startswith("query.")}
            return links.of_query(definition["servers"][0]["url"] + path, {k: v for k, v in asked.items() if v})
    return None


@lru_cache(maxsize=4)
def _operations(app: Geomill, root: str, anonymous: Role) -> Markup:
    """All that depends on nobody. root, anonymous: as for openapi.document."""
    definition = openapi.document(app, root, anonymous)
    groups: dict[str, list[Json]] = {tag["name"]: [] for tag in definition["tags"]}
    for path, methods in definition["paths"].items():
        for method, each in methods.items():
            groups[each["tags"][0]].append({**each, "path": path, "method": method, "accept": _accepted(each)})
    page = render_template("operations.html", api=definition, groups=groups, root=root)
    return Markup(page)  # noqa: S704  # it was escaped when it was made


def _accepted(operation: Json) -> list[str]:
    """The media types that an operation may be asked for, as it prefers them."""
    good = [each for status, each in operation["responses"].items() if status < "3"]
    return list(dict.fromkeys(name for each in good for name in each.get("content", ()))) or ["application/json"]
