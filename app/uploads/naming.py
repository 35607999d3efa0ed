"""Uploads as inputs: by an address of ours, which ends in the id that nobody but their owner was told.

The id is what counts, not the host before it: the server has many names, and a job may be retried by way of another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomill.app.exchange.values import Place
from geomill.app.uploads.store import NoSuchUpload, Upload, Uploads

_ADDRESS = re.compile(r"https?://[^/?#\s]+(?:/[^?#\s]*)?/uploads/([0-9a-f]{40})/?", re.ASCII)
_LINKS = ("href", "location", "path")  # members that are addresses, of links and of the files of CWL


def upload_id(href: str) -> str | None:
    """The id of the upload that an address names, be it ours or not."""
    found = _ADDRESS.fullmatch(href.strip())
    return found[1] if found else None


@dataclass(frozen=True)
class Finder:
    """Finds what a caller uploaded. owns: as in Uploads.get; is_ours: whether an address leads to this server."""

    uploads: Uploads
    owns: Callable[[str], bool]
    is_ours: Callable[[str], bool]

    def find(self, href: str) -> Upload | None:
        """The upload at an address; None for one of somebody else. Raises NoSuchUpload."""
        if (name := upload_id(href)) is None:
            return None
        try:
            return self.uploads.get(name, self.owns)
        except NoSuchUpload:
            if self.is_ours(href.strip()):
                raise
            return None

    def given(self, inputs: Mapping[str, Any]) -> dict[str, Path]:
        """What a job is to hold of the uploads that its inputs name, by the names in its folder that `Given` reads.

        Raises BadInput where a link of ours leads to none.
        """
        files = {}
        for input_id, value in inputs.items():
            for path, is_link, text in _strings(value):
                try:
                    upload = self.find(text)
                except NoSuchUpload as error:
                    if is_link:
                        raise Place(input_id, path).wrong(f"cannot be fetched: {error}") from None
                    continue  # a text may say anything
                if upload is not None:
                    files[upload.upload_id] = self.uploads.path(upload)
                    files[f"{upload.upload_id}.json"] = self.uploads.record(upload)
        return files


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, bool, str]]:
    """Every text in a value: where it is, a link by where the link is; whether it is the address of one; itself."""
    if isinstance(value, str):
        yield path, False, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in _LINKS and isinstance(inner, str):
                yield path, True, inner
            else:
                yield from _strings(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strings(inner, f"{path}[{index}]")
