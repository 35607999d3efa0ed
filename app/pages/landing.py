"""The start page: what the server is and can do, what it is doing, and whether it is well."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from geomill.app import health, pages
from geomill.app.identity import owners
from geomill.app.server import current_app
from geomill.jobstore import Filters, Status, StatusInfo, overview

SHOWN = 6  # processes
EACH = 5  # jobs that have not ended, and jobs in all
MOST = 1000  # jobs that are counted


def page(document: dict[str, Any]) -> Response:
    """The landing page with the first processes, and the jobs that the caller may see."""
    found = current_app.processes.list()
    return pages.render(
        "landing.html",
        page=document,
        processes=found[:SHOWN],
        number=len(found),
        jobs=jobs(),
        running=number(Status.RUNNING),
        waiting=number(Status.ACCEPTED),
        most=MOST,
        health=health.look(current_app.settings, current_app.engine),
    )


def jobs() -> list[StatusInfo]:
    """Some jobs: those that have not ended, then the newest of the others."""
    if not sees_any():
        return []
    begun = _list(Status.RUNNING) + _list(Status.ACCEPTED)
    return begun[:EACH] + [info for info in _list() if info.status.final]


def number(status: Status) -> int | None:
    """How many jobs the caller sees in a state; None where nobody can tell."""
    return overview.count(current_app.jobs, status, _owner(), MOST) if sees_any() else 0


def sees_any() -> bool:
    """Whether the caller sees jobs at all: who has no name has none."""
    return owners.sees_all(current_app) or bool(g.caller.name)


def _list(*statuses: Status) -> list[StatusInfo]:
    return current_app.jobs.list(Filters(statuses=statuses, owner=_owner()), EACH).jobs


def _owner() -> str | None:
    return None if owners.sees_all(current_app) else g.caller.name
