"""How a job ended."""

from __future__ import annotations

from geomill.client.errors import JobFailed, ServiceError
from geomill.client.reply import Json
from geomill.client.service import Address, Service
from geomill.client.show import clean, printed
from geomill.client.states import state

LAST_LINES = 20  # of the log of a failed job


def successful(service: Service, job: Address, status: Json) -> None:
    """See that a job which has ended was successful. Raises JobFailed with its message and the end of its log."""
    if state(status) == "successful":
        return
    try:
        lines = printed(service.log(job).decode(errors="replace")).splitlines()
    except ServiceError:
        lines = []
    word = "failed" if state(status) == "failed" else "was dismissed"
    message = clean(status.get("message"))
    said = f": {message}" if message and message != state(status) else ""  # which was said
    raise JobFailed(f"the job {word}{said}", status, lines[-LAST_LINES:])
