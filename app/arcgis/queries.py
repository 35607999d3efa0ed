"""Which jobs of a service a query means.

Source: Esri, "Query jobs" (ArcGIS Server Administrator API).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from geomill.app.arcgis.states import PREFIX, STATES, TIME_LIMIT, state
from geomill.app.errors import InvalidQuery
from geomill.app.server import current_app
from geomill.jobstore import Filters, StatusInfo, listing


def found(process_id: str, asked: dict[str, str], first: int, count: int) -> tuple[list[StatusInfo], int]:
    """The jobs that are meant, newest first, from the first-th on, counted from 0, and how many there are in all.

    asked: parameters of the query. Raises InvalidQuery.
    """
    name = _status(asked)
    filters = _filters(process_id, asked, name)
    if name and not STATES[name]:
        return [], 0
    if name not in ("Executing", "Cancelling"):
        return listing.part(current_app.jobs, filters, first, count)
    # the index does not know which are being dismissed; as many as run at once are few
    running, _ = listing.part(current_app.jobs, filters, 0, listing.MOST)
    meant = [each for each in running if state(each) == f"{PREFIX}{name}"]
    return meant[first : first + count], len(meant)


def _status(asked: dict[str, str]) -> str:
    """The state that is asked for, "" for any."""
    name = asked.get("jobStatus", "").removeprefix(PREFIX)
    if name and name not in STATES:
        raise InvalidQuery(f"jobStatus: {name!r:.40} is not one of {', '.join(STATES)}")
    return name


def _filters(process_id: str, asked: dict[str, str], name: str) -> Filters:
    """What the index is asked for. name: of a state."""
    owner = asked.get("userName")
    return Filters(
        process_ids=(process_id,),
        statuses=STATES[name] if name else (),
        since=_moment("startTime", asked),
        until=_moment("endTime", asked),
        owner="" if owner == "null" else owner,
        cause=TIME_LIMIT if name == "TimedOut" else None,
        cause_not=TIME_LIMIT if name == "Failed" else None,
    )


def _moment(name: str, asked: dict[str, str]) -> datetime | None:
    text = asked.get(name)
    if text is None:
        return None
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    raise InvalidQuery(f"{name}: expected milliseconds since 1970, not {text!r:.40}")
