"""The list of jobs for people, and the form that asks for a part of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from flask import Response, request
from werkzeug.datastructures import MultiDict

from geomill.app import links
from geomill.app.identity import owners
from geomill.app.pages import render, words
from geomill.app.server import current_app
from geomill.jobstore import NoSuchJob, Page, Status, StatusInfo
from geomill.jobstore.records import now, timestamp

ROWS = 50  # of a page, unless it is asked for more
NAMES = ("processID", "status", "owner", "minDuration", "maxDuration", "limit")  # as the API's query has them
DONE = {  # by a form that led here, with the one job that it names, or as many as it says
    "dismissed": ("is dismissed", "are dismissed"),
    "removed": ("is removed, with all of its files", "are removed, with all of their files"),
}
_ID, _COUNT = re.compile("[0-9a-f-]{36}"), re.compile("[0-9]{1,4}")
LABELS = {"datetime": "created", "minDuration": "took at least", "maxDuration": "took at most", "status": "state"}
_ANY, _DAY, _NUMBER = re.compile(".*", re.DOTALL), re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"-?\d+(\.\d+)?")
_SHAPES = {"from": _DAY, "until": _DAY, "minDuration": _NUMBER, "maxDuration": _NUMBER}  # a field holds nothing else
DAYS = {"from": "T00:00:00Z", "until": "T23:59:59Z"}


class Row(NamedTuple):
    """One job, in words that are made once. href: address of its process; mine: the caller's to change.

    A tuple, which a template unpacks: to look up twenty members of each of hundreds takes as long as to write them.
    """

    id: str
    short: str
    status: str
    final: bool
    process: str
    href: str
    owner: str
    created: str
    exact: str
    ago: str
    took: str
    progress: int | None
    message: str | None
    mine: bool


def _row(info: StatusInfo, moment: datetime, href: str, mine: bool) -> Row:
    created = timestamp(info.created)
    return Row(
        info.job_id,
        words.short(info.job_id),
        info.status.value,
        info.status.final,
        info.process_id,
        href,
        info.owner,
        created,
        f"{created[:10]} {created[11:19]} UTC",  # words.exact of it
        words.ago(info.created, moment),
        words.duration(((info.finished or moment) - info.started).total_seconds()) if info.started else "",
        info.progress if info.status is not Status.SUCCESSFUL else None,
        info.message if info.message != info.status.value else None,
        mine,
    )


def page(found: Page, asked: Mapping[str, Any]) -> Response:
    """A page of the list. asked: the query, as JobsQuery reads it.

    It is made of the jobs themselves: their documents, with a dozen links each, take longer than all the rest.
    """
    moment, addresses = now(), {info.process_id: "" for info in found.jobs}
    for process_id in addresses:
        addresses[process_id] = links.to("processes.show", process_id=process_id)
    mine = {owner: owners.may("changeJobs", owner) for owner in {info.owner for info in found.jobs}}
    rows = [_row(info, moment, addresses[info.process_id], mine[info.owner]) for info in found.jobs]
    given = {name: values for name, values in request.args.lists() if name not in DONE}
    more = {**given, "cursor": [found.next]} if found.next else None
    here = links.to("jobs.index")
    return render(
        "jobs.html",
        rows=rows,
        base=here,
        this=links.of_query(here, given),
        following=links.of_query(here, more) if more else None,
        first=links.of_query(here, {**given, "cursor": []}) if asked["cursor"] else None,
        filters=filters(asked),
        kept=kept(request.args),
        states=list(Status),
        narrowed=any(request.args.get(name) for name in (*NAMES[:5], "datetime")),
        others=owners.sees_all(current_app) and current_app.identity.known,
        changes=any(mine.values()),
        known_processes=sorted(addresses),
        **_said(rows),
    )


def again(form: MultiDict[str, str], wrong: str) -> Response:
    """The form once more, as it was filled in. wrong: what is, by the names of the query."""
    for name, label in LABELS.items():
        wrong = wrong.replace(f"{name}:", f"{label}:")
    names = ("processID", "owner", *DAYS, "minDuration", "maxDuration", "limit")
    filled = {name: text for name in names if _SHAPES.get(name, _ANY).fullmatch(text := form.get(name, ""))}
    here = links.to("jobs.index")
    return render(
        "jobs.html",
        400,
        wrong=wrong,
        filters={**filled, "statuses": form.getlist("status"), "detailed": True},
        states=list(Status),
        narrowed=True,
        others=owners.sees_all(current_app) and current_app.identity.known,
        base=here,
        this=here,
    )


def query(form: MultiDict[str, str]) -> dict[str, list[str]]:
    """What a form asks for, as a query of the API. A form sends its empty fields too, which the API would believe."""
    asked = {name: [each.strip() for each in form.getlist(name) if each.strip()] for name in NAMES}
    days = {name: form.get(name, "").strip() for name in DAYS}
    if any(days.values()):
        begin, end = (day + DAYS[name] if day else ".." for name, day in days.items())
        asked["datetime"] = [f"{begin}/{end}"]
    return {name: values for name, values in asked.items() if values}


def kept(given: MultiDict[str, str]) -> dict[str, list[str]]:
    """The part of the list that somebody looks at, as a query: to come back to."""
    return {name: given.getlist(name) for name in (*NAMES, "datetime", "cursor") if name in given}


def filters(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the form shows of a query. asked: as JobsQuery reads it."""
    since, until = asked["datetime"]
    detailed = (asked["owner"], since, until, asked["min_duration"], asked["max_duration"])
    return {
        "detailed": any(each is not None for each in detailed),
        "processID": ", ".join(asked["process_id"]),
        "statuses": [status.value for status in asked["status"]],
        "owner": asked["owner"],
        "from": _day(since),
        "until": _day(until),
        "minDuration": _plain(asked["min_duration"]),
        "maxDuration": _plain(asked["max_duration"]),
        "limit": request.args.get("limit"),
    }


def _said(rows: list[Row]) -> dict[str, Any]:
    """What a form has done that led here, and the id of the row to go on with: the job's own, else the one after it."""
    for what, (one, several) in DONE.items():
        done = request.args.get(what, "")
        if _ID.fullmatch(done) and _is_so(what, done):
            ids = [row.id for row in rows]
            following = next((each for each in ids if each <= done), ids[-1] if ids else None)
            return {"said": f"Job {words.short(done)} {one}.", "next": following}
        if _COUNT.fullmatch(done):
            return {"said": f"{done} jobs {several}."}
    return {}


def _is_so(what: str, job_id: str) -> bool:
    """Whether a job has been dismissed, or is not there any more; a link may claim anything."""
    try:
        status = current_app.jobs.status(job_id).status
    except NoSuchJob:
        return what == "removed"
    return what == "dismissed" and status is Status.DISMISSED


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else ""


def _plain(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
