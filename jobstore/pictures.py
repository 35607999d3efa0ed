"""Pictures of files that a job wrote, for pages: made from these, so never durable, and gone when the job is.

    <job>/pictures/<16 hex digits of sha256 of the file's name>.json  .png
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from . import files
from .folders import PASSABLE
from .status import NoSuchJob, ResultNotAvailable, Status
from .store import JobStore

FOLDER = "pictures"


def image(store: JobStore, job_id: str, file: str) -> Path:
    """Where the picture of a file would be. file: as in Result. Raises NoSuchJob for what cannot be an id."""
    name = hashlib.sha256(file.encode()).hexdigest()[:16]
    return store.folder(job_id) / FOLDER / f"{name}.png"


def read(store: JobStore, job_id: str, file: str) -> Any:
    """What is to be said of the picture of a file; None where none was made yet."""
    try:
        return files.read_json(image(store, job_id, file).with_suffix(".json"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def keep(store: JobStore, job_id: str, file: str, said: Any, picture: bytes) -> None:
    """Keep what was made, if the job still has results. picture: b"" where there can be none.

    Raises NoSuchJob, ResultNotAvailable, StoreBusy, StoreFull, OSError.
    """
    store.admission.check_room(store.home)
    place = image(store, job_id, file)
    with store.locks.moving(job_id):  # it does not expire meanwhile
        info = store.read_status(job_id)
        if info.status is not Status.SUCCESSFUL or info.expired:
            raise ResultNotAvailable(f"job {job_id} has no results any more")
        try:
            place.parent.mkdir(mode=PASSABLE, exist_ok=True)
        except FileNotFoundError:
            raise NoSuchJob(job_id) from None
        if picture:
            files.write_bytes(place, picture, durable=False)
        files.write_json(place.with_suffix(".json"), said, durable=False)  # the last: who finds it finds the picture
