"""What a job said, as ArcGIS tells it."""

from __future__ import annotations

from geomill.app.pages.logs import end_of
from geomill.app.server import current_app
from geomill.jobstore import Status, StatusInfo

INFORMATIVE, ERROR = "esriJobMessageTypeInformative", "esriJobMessageTypeError"


def messages(info: StatusInfo) -> list[dict[str, str]]:
    """What a job said: the end of its log, then what its status says."""
    log = [] if info.expired else end_of(current_app.jobs.log(info.job_id)).lines
    found = [{"type": INFORMATIVE, "description": line} for line in log]
    if info.message:
        found.append({"type": ERROR if info.status is Status.FAILED else INFORMATIVE, "description": info.message})
    return found
