"""What becomes of several jobs at once: the question before they are removed, and of each what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response
from werkzeug.datastructures import MultiDict

from geomill.app import links
from geomill.app.pages import render

DISMISS, REMOVE = "dismiss", "remove"


@dataclass(frozen=True)
class Outcome:
    """What came of one job. gone: it is not there any more; pending: it goes on for a moment."""

    job_id: str
    done: bool
    text: str
    gone: bool = False
    pending: bool = False


def asked(form: MultiDict[str, str]) -> tuple[str, list[str]]:
    """(what to do, with which jobs): the one whose own button was used, else all that are ticked."""
    what, _, one = form.get("what", DISMISS).partition(" ")
    job_ids = [one] if one else list(dict.fromkeys(form.getlist("job")))
    return REMOVE if what == REMOVE else DISMISS, job_ids


def ask(job_ids: Sequence[str], kept: Mapping[str, list[str]]) -> Response:
    """The question whether these are to be removed. kept: the query of the list that they were chosen from."""
    return render("removal.html", job_ids=job_ids, kept=kept, back=_list(kept))


def back(what: str, job_ids: Sequence[str], kept: Mapping[str, list[str]]) -> str:
    """The address of the list that says what was done with these. kept: as above."""
    done = job_ids[0] if len(job_ids) == 1 else str(len(job_ids))
    return links.of_query(links.to("jobs.index"), {**kept, "removed" if what == REMOVE else "dismissed": [done]})


def tell(what: str, outcomes: Sequence[Outcome], kept: Mapping[str, list[str]]) -> Response:
    """What was done, and what was not. kept: as above."""
    done = sum(outcome.done for outcome in outcomes)
    return render("changes.html", what=what, outcomes=outcomes, done=done, back=_list(kept))


def _list(kept: Mapping[str, list[str]]) -> str:
    return links.of_query(links.to("jobs.index"), kept)
