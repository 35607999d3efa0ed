"""Pictures of files that a job wrote, for pages: made from these, so never durable, and gone when the job is.

    <job>/pictures/<16 hex digits of sha256 of the file's name and the band>.json  .png
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
FORM = 2  # of what is said of a picture: what was kept in another is not found, and made anew
MOST = 200  # pictures of a job: a raster may have thousands of bands


def image(store: JobStore, job_id: str, file: str, band: int | None = None) -> Path:
    """Where the picture of a file would be. file: as in Result; band: None for that which is drawn if nobody asks.

    Raises NoSuchJob for what cannot be an id.
    """
    name = hashlib.sha256(f"{FORM} {band} {file}".encode()).hexdigest()[:16]
    return store.folder(job_id) / FOLDER / f"{name}.png"


def read(store: JobStore, job_id: str, file: str, band: int | None = None) -> Any:
    """What is to be said of the picture of a file; None where none was made yet."""
    try:
        return files.read_json(image(store, job_id, file, band).with_suffix(".json"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def keep(store: JobStore, job_id: str, file: str, band: int | None, said: Any, picture: bytes) -> None:
    """Keep what was made, if the job still has results; and of many, the latest. picture: b"" where there can be none.

    Raises NoSuchJob, ResultNotAvailable, StoreBusy, StoreFull, OSError.
    """
    store.admission.check_room(store.home)
    place = image(store, job_id, file, band)
    with store.locks.moving(job_id):  # it does not expire meanwhile
        info = store.read_status(job_id)
        if info.status is not Status.SUCCESSFUL or info.expired:
            raise ResultNotAvailable(f"job {job_id} has no results any more")
        try:
            place.parent.mkdir(mode=PASSABLE, exist_ok=True)
        except FileNotFoundError:
            raise NoSuchJob(job_id) from None
        _make_room(place.parent)
        if picture:
            files.write_bytes(place, picture, durable=False)
        files.write_json(place.with_suffix(".json"), said, durable=False)  # the last: who finds it finds the picture


def _make_room(folder: Path) -> None:
    """Remove the oldest pictures where there are too many."""
    found = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for said in found[: max(0, len(found) + 1 - MOST)]:
        said.unlink()  # the first: nobody finds a picture that is gone
        said.with_suffix(".png").unlink(missing_ok=True)
