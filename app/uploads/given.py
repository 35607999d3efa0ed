"""The uploads that a job was given: its own copies, which its inputs by reference are taken from.

The job holds the files by hard links from when it is accepted, so that it does not matter how long it waits. They are
copied before it begins: what a job has in its working directory it may change.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from geomill.app.guard import Fetched, new_name
from geomill.app.uploads.naming import upload_id
from geomill.app.uploads.store import Upload, load

COPIES = ".given"  # in the working directory


class Given:
    """The uploads of one job."""

    def __init__(self, folder: Path) -> None:
        """folder: where the job holds them, if it has any; read at once, while there is the right to."""
        self._folder = folder
        self._uploads: dict[str, Upload] = {}
        self._copies: dict[str, Path] = {}
        if folder.exists():
            for record in folder.glob("*.json"):
                self._uploads[record.stem] = load(record)

    def copy(self, work: Path) -> None:
        """Copy them into the working directory; the kernel does it, by sharing blocks where the file system can."""
        if self._uploads:
            (work / COPIES).mkdir()
        for name in self._uploads:
            self._copies[name] = work / COPIES / name
            shutil.copyfile(self._folder / name, self._copies[name])

    def give(self, user: int, group: int) -> None:
        """Let the copies be a user's."""
        for path in (*self._copies.values(), *{path.parent for path in self._copies.values()}):
            os.chown(path, user, group, follow_symlinks=False)

    def fetch(self, href: str, directory: Path, media_type: str | None) -> Fetched | None:
        """As Guard.fetch, for an address of one of them; None for any other."""
        upload = self._uploads.get(upload_id(href) or "")
        if upload is None:
            return None
        path = directory / new_name(upload.name, media_type or upload.media_type)
        copy = self._copies[upload.upload_id]
        if copy.parent.name == COPIES:
            copy.rename(path)
            self._copies[upload.upload_id] = path
        else:  # it is asked for once more, and the first may be changed
            shutil.copyfile(copy, path)
        return Fetched(path, media_type or upload.media_type, href, upload.name)
