"""What a callback carries: the document that the same server gives of the job to who asks for it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from flask import g

from geomill.app import errors, links
from geomill.app.addresses import TENANT
from geomill.app.api import results
from geomill.app.callbacks.due import IN_PROGRESS
from geomill.app.identity.access import COMMAND
from geomill.app.schemas import StatusInfoSchema, dump
from geomill.jobstore import JobCorrupt, JobExpired, JobFailed, ResultNotAvailable

if TYPE_CHECKING:
    from geomill.app.server import Geomill


def of_event(
    app: Geomill, tenant: str, root: str, job_id: str, event: str, when_sent: ExitStack
) -> tuple[bytes, str]:
    """The body of a callback, and the address of the job.

    root: the landing page that addresses begin with; when_sent: to be closed when the body was sent.
    Raises NoSuchJob, JobExpired, TooMuchAtOnce, and OSError for what cannot be read.
    """
    with app.test_request_context("/", base_url=root, environ_overrides={TENANT: tenant}):
        g.tenant, g.caller, g.when_sent = app.tenants.get(tenant), COMMAND, when_sent
        address = links.to("jobs.show", job_id=job_id)
        if event == IN_PROGRESS:
            return _bytes(dump(StatusInfoSchema, g.tenant.jobs.status(job_id))), address
        try:
            return results.document(job_id), address
        except JobExpired:
            raise
        except (JobFailed, ResultNotAvailable, JobCorrupt) as error:
            g.job_id = job_id
            return _bytes(errors.document(errors.problem_of(error), error)), address


def _bytes(document: Any) -> bytes:
    return json.dumps(document).encode()
