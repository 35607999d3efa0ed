"""Jobs that come to an end without a word of a supervisor: lost ones, and those that could not begin."""

from __future__ import annotations

import logging
from contextlib import suppress

from geomill.app import loglines
from geomill.app.engine import isolation, reaper
from geomill.app.engine.children import Children
from geomill.jobstore import (
    InvalidTransition,
    JobCorrupt,
    JobStore,
    NoSuchJob,
    Status,
    StatusInfo,
    StoreBusy,
    lost,
    torn,
)

log = logging.getLogger(__name__)
_of_full_disks = loglines.Seldom()

HUNT_SECONDS = 10.0  # for what a lost job forks without end


def note(store: JobStore, info: StatusInfo) -> None:
    """Say how a job has ended, if that is for whoever runs the server."""
    if info.cause == "disk-full":
        about = loglines.of_job(info.job_id, store.tenant)
        _of_full_disks.say(
            log, "job %s of tenant %s failed: %s", info.job_id, store.tenant, info.message, extra=about
        )  # fmt: skip


def lose(children: Children, store: JobStore, info: StatusInfo) -> None:
    """Fail a job that lost its supervisor; as a chore, for there may be much to remove before that is said."""
    name = f"lose {info.job_id}"
    if not children.at(name):
        children.fork(name, lambda: _end_lost(store, info))


def _end_lost(store: JobStore, info: StatusInfo) -> None:
    """What an earlier dispatcher's job leaves is no child of ours; a namespace ends with its supervisor anyway."""
    names, about = (info.job_id, store.tenant), loglines.of_job(info.job_id, store.tenant)
    if not isolation.namespaces_allowed():
        if not reaper.kill_holders(store.folder(info.job_id), HUNT_SECONDS):
            log.error("job %s of tenant %s lost its supervisor, and some of it escapes", *names, extra=about)
    found = lost.fail(store, info)
    store.index.put(found)
    if found.status is Status.FAILED:
        log.warning("job %s of tenant %s failed: %s", *names, found.message, extra=about)


def give_up(store: JobStore, job_id: str) -> None:
    """Fail an accepted job of which nobody can tell what was asked."""
    try:
        store.job(job_id)
    except JobCorrupt as error:
        with suppress(NoSuchJob, InvalidTransition, StoreBusy, OSError):
            message = f"it could not begin: {error.args[1]}"
            store.move(job_id, Status.FAILED, cause=torn.CORRUPT, message=message)
    except (NoSuchJob, OSError):
        pass  # the next look at the folders finds out
