"""A job that says running and has no supervisor any more: how that is known, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import folders, moves
from .alive import boot_id, is_ending
from .records import StatusInfo
from .status import InvalidTransition, Status, StoreBusy

if TYPE_CHECKING:
    from .store import JobStore


def is_lost(store: JobStore, info: StatusInfo) -> bool:
    """Whether the supervisor of a job that says running is gone.

    What holds the lock of this very folder is its supervisor: a copy of a home names the processes of the original.
    A killed one lets go of its lock first; while the kernel then ends what it leaves behind, it is still there.
    """
    if info.boot_id != boot_id():
        return True
    return not store.has_supervisor(info.job_id) and not is_ending(info.pid, info.start_time)


def fail(store: JobStore, info: StatusInfo, patience: float | None = None) -> StatusInfo:
    """Fail a lost job, unless it ended properly in the meantime. Raises StoreBusy.

    Its scratch goes before the word is said: if we are killed in between, the next one finds it lost again.
    """
    folders.clear(store.folder(info.job_id), keep=True)
    try:
        return store.move(info.job_id, Status.FAILED, patience=patience, **_cause(info))
    except InvalidTransition as race:
        return race.current


def seen(store: JobStore, info: StatusInfo, patience: float) -> StatusInfo:
    """What somebody who only reads finds a lost job to be: failed, be it that this cannot be written now."""
    try:
        return fail(store, info, patience)
    except StoreBusy:  # the dispatcher will say so
        return info
    except OSError:  # the same words however often it is asked
        return replace(moves.moved(info, Status.FAILED, _cause(info)), updated=info.updated, finished=info.updated)


def _cause(info: StatusInfo) -> dict[str, Any]:
    if info.boot_id != boot_id():
        return {"cause": "rebooted", "message": "the host was restarted while the job ran"}
    return {"cause": "lost", "message": "the job's supervisor was lost"}
