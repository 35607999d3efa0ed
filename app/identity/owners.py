"""Whose a job is: another's is not there, or not to be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import g

from geomill.app.asked import asked
from geomill.app.identity.callers import Forbidden
from geomill.app.identity.roles import Role, needed
from geomill.jobstore import NoSuchJob

if TYPE_CHECKING:
    from geomill.app.server import Geomill


def init_app(app: Geomill) -> None:
    """Look at the owner of every job that an address names, before anything is said about the job."""

    def look() -> None:
        request = asked()
        job_id = (request.view_args or {}).get("job_id")
        if job_id is not None and request.method != "OPTIONS":
            check(app, job_id, own=g.right.own)

    app.before_request(look)


def check(app: Geomill, job_id: str, *, own: bool) -> None:
    """Raise NoSuchJob for a job that the caller may not see; own: Forbidden where it has to be his."""
    if g.caller.role is Role.ADMIN or g.caller.owns(app.jobs.read_status(job_id).owner):
        return
    if not sees_all(app):
        raise NoSuchJob(job_id)  # as if it were not there
    if own:
        raise Forbidden(f"Job {job_id} is another's: this is for its owner.")


def may(operation_id: str, owner: str) -> bool:
    """Whether the caller may do this to a job of this owner: then a page offers it."""
    right = needed(operation_id)
    return g.caller.role >= right.role and (not right.own or g.caller.owns(owner))


def sees_all(app: Geomill) -> bool:
    """Whether the caller sees the jobs of others."""
    return g.caller.role is Role.ADMIN or app.settings.jobs_visibility == "all"
