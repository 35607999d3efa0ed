"""Uploads as inputs: by an address of ours, which ends in the id that nobody but their owner was told.

The id is what counts, not the host before it: the server has many names, and a job may be retried by way of another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from geomill.app.exchange.values import Place
from geomill.app.uploads.store import NoSuchUpload, Upload, Uploads

_ADDRESS = re.compile(r"(?i:https?)://[^/?#\s]+(?:/[^?#\s]*)?/uploads/([0-9a-f]{40})/?(?:[?#]\S*)?", re.ASCII)
_LINKS = ("href", "location", "path")  # members that are addresses, of links and of the files of CWL


def upload_id(href: str) -> str | None:
    """The id of the upload that an address names, be it ours or not."""
    found = _ADDRESS.fullmatch(href.strip())
    return found[1] if found else None


def wanted(
    inputs: Mapping[str, Any], uploads: Uploads, owns: Callable[[str], bool], is_ours: Callable[[str], bool]
) -> list[Upload]:
    """The uploads that the inputs of a request name, each once.

    owns: as in Uploads.get; is_ours: whether an address leads to this server.
    Raises BadInput where a link of ours names none that is the caller's.
    """
    found: dict[str, Upload] = {}
    for input_id, value in inputs.items() if _may_name_any(inputs) else ():
        for path, is_link, text in _strings(value):
            name = upload_id(text)
            if name is None or name in found:
                continue
            try:
                found[name] = uploads.get(name, owns)
            except NoSuchUpload as error:
                if is_link and is_ours(text.strip()):
                    raise Place(input_id, path).wrong(f"cannot be fetched: {error}") from None
    return list(found.values())


def given(uploads: Uploads, wanted: list[Upload]) -> dict[str, Path]:
    """What a job holds of uploads, by the names in its folder that `Given` reads."""
    files = {upload.upload_id: uploads.path(upload) for upload in wanted}
    return files | {f"{upload.upload_id}.json": uploads.record(upload) for upload in wanted}


def _may_name_any(value: Any) -> bool:
    """Whether an upload may be named in it: most requests name none, and some have a million values."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            if "/uploads/" in each:
                return True
        elif isinstance(each, dict):
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
    return False


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
