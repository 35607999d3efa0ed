"""What becomes of several jobs at once: the question before they are removed, and of each what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response
from werkzeug.datastructures import MultiDict

from geomill.app import links
from geomill.app.exchange import InvalidRequest
from geomill.app.exchange.wording import shown
from geomill.app.pages import render

DISMISS, REMOVE, NOTHING = "dismiss", "remove", "nothing"
MOST = 1000  # jobs of one form


@dataclass(frozen=True)
class Outcome:
    """What came of one job. gone: it is not there any more; pending: it goes on for a moment."""

    job_id: str
    done: bool
    text: str
    gone: bool = False
    pending: bool = False


def asked(form: MultiDict[str, str]) -> tuple[str, list[str]]:
    """(what to do, with which jobs): the one whose own button was used, else all that are ticked.

    Raises InvalidRequest.
    """
    what, _, one = form.get("what", "").partition(" ")
    if what not in (DISMISS, REMOVE, NOTHING):
        raise InvalidRequest(f'"what" must be "{DISMISS}" or "{REMOVE}", not {shown(what)}.')
    job_ids = [one] if one else list(dict.fromkeys(form.getlist("job")))
    if len(job_ids) > MOST:
        raise InvalidRequest(f"At most {MOST} jobs can be changed at once, not {len(job_ids)}; choose fewer.")
    return what, job_ids


def ask(job_ids: Sequence[str], kept: Mapping[str, list[str]]) -> Response:
    """The question whether these are to be removed. kept: the query of the list that they were chosen from."""
    return render("removal.html", job_ids=job_ids, kept=kept, back=to_list(kept))


def back(what: str, job_ids: Sequence[str], kept: Mapping[str, list[str]]) -> str:
    """The address of the list that says what was done with these. kept: as above."""
    done = job_ids[0] if len(job_ids) == 1 else str(len(job_ids))
    return links.of_query(links.to("jobs.index"), {**kept, "removed" if what == REMOVE else "dismissed": [done]})


def tell(what: str, outcomes: Sequence[Outcome], kept: Mapping[str, list[str]]) -> Response:
    """What was done, and what was not. kept: as above."""
    done = sum(outcome.done for outcome in outcomes)
    return render("changes.html", what=what, outcomes=outcomes, done=done, back=to_list(kept))


def to_list(kept: Mapping[str, list[str]]) -> str:
    """The address of the list that jobs were chosen from. kept: as above."""
    return links.of_query(links.to("jobs.index"), kept)
