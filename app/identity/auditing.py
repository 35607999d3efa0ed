"""What of a request goes into the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, g, request

from geomill.app import operations
from geomill.app.addresses import TENANT
from geomill.app.asked import asked
from geomill.app.identity.access import COMMAND, cookie_name
from geomill.app.identity.audit import local
from geomill.app.identity.tickets import TICKET
from geomill.app.security import CHANGES

if TYPE_CHECKING:
    from geomill.app.server import Geomill

REFUSED = (401, 403)


def init_app(app: Geomill) -> None:
    """Note every change, and whatever was refused to somebody who showed something."""

    def note(response: Response) -> Response:
        status = g.get("status", response.status_code)
        if g.get("changes", asked().method in CHANGES) or (status in REFUSED and _showed()):
            caller, given = g.get("caller"), request.view_args or {}
            stranger = status >= 400 and not (caller and caller.by)
            for job_id in g.get("job_ids") or (given.get("job_id") or g.get("job_id"),):  # a line for each job
                app.audit.write(stranger=stranger, **_members(app, response, job_id))
        return response

    app.after_request(note)


def _showed() -> bool:
    """Whether whoever asks showed something."""
    return "Authorization" in request.headers or cookie_name() in request.cookies or TICKET in request.environ


def _members(app: Geomill, response: Response, job_id: str | None) -> dict[str, Any]:
    """Who, from where, what, and what came of it."""
    caller, given = g.get("caller"), request.view_args or {}
    current = operations.of(app, request.endpoint)
    upload_id = given.get("upload_id") or g.get("upload_id")
    process_id = given.get("process_id") or g.get("process_id")
    if response.status_code == 201 and not job_id and not upload_id:  # what was deployed
        process_id = (response.location or "").rpartition("/")[2]
    return {
        "caller": caller.name if caller else "",
        **(local() if caller is COMMAND else {"by": caller.by if caller else ""}),
        "token": caller.token if caller else "",
        "address": request.remote_addr,
        "tenant": request.environ.get(TENANT),
        "operation": current.id if current else "",
        "method": request.method,
        "process": process_id,
        "job": job_id,
        "upload": upload_id,
        "status": g.get("status", response.status_code),
    }
