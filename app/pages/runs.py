"""What pages say of the jobs that a process had: how many, how long they take."""

from __future__ import annotations

from datetime import datetime

from flask import g

from geomill.app.identity import owners
from geomill.app.pages import words
from geomill.app.server import current_app
from geomill.jobstore.runs import MOST_COUNTED, Runs, lately, of_process


def of(process_id: str) -> Runs:
    """The jobs of a process that the caller may see. `.median` is how long one takes, in seconds, or None."""
    return of_process(current_app.jobs, process_id, _owner())


def last() -> dict[str, datetime]:
    """When processes last ran, of the newest jobs that the caller may see: by id."""
    return lately(current_app.jobs, _owner())


def _owner() -> str | None:
    return None if owners.sees_all(current_app) else g.caller.name


def sentence(runs: Runs) -> str:
    """ "12 runs, median 2.1 s"; the page adds when the last was."""
    if not runs.count:
        return "no runs yet"
    count = f"more than {MOST_COUNTED} runs" if runs.more else f"{runs.count} run{'' if runs.count == 1 else 's'}"
    return count if runs.median is None else f"{count}, median {words.duration(runs.median)}"
