"""From work/ to outputs/: what a job gave becomes its results. Files first, then results.json, then the status."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any

from geomill.jobstore import Result, files
from geomill.jobstore.records import dump

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;[ -~]*)?", re.ASCII)  # RFC 9110, 8.3.1, loosely


class Unpublishable(Exception):
    """A result that cannot be kept; cause: as in StatusInfo."""

    def __init__(self, message: str, cause: str = "result") -> None:
        super().__init__(message)
        self.cause = cause


def publish(folder: Path, results: dict[str, Any], *, durable: bool) -> None:
    """Move a job's files to outputs/ and write results.json.

    results: output id -> {"value", "media_type"} or {"file" (path below work/), "media_type"} or {"items": [...]}.
    Raises Unpublishable for a file that is missing, no regular file, or outside work/.
    """
    names: set[str] = set()
    content = {
        output_id: dump(_publish(folder, output_id, result, names, durable)) for output_id, result in results.items()
    }
    if names and durable:
        files.sync(folder / "outputs")
    # not replaced, since there is none: only the status makes it results
    files.create(folder / "results.json", json.dumps(content, separators=(",", ":")).encode(), durable=durable)


def _publish(folder: Path, output_id: str, result: dict[str, Any], names: set[str], durable: bool) -> Result:
    if "items" in result:
        items = tuple(_publish(folder, output_id, item, names, durable) for item in result["items"])
        return Result(items=items, media_type="application/json")
    media_type = str(result.get("media_type"))
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise Unpublishable(f"output {output_id!r}: {media_type!r} is no media type")
    if "file" not in result:
        return Result(value=result.get("value"), media_type=media_type)
    source = _inside(folder / "work", output_id, str(result["file"]))
    name = _free_name(output_id, _tame(source.name), names)
    target = folder / "outputs" / name
    target.parent.mkdir(exist_ok=True, mode=0o711)
    try:
        os.rename(source, target)
    except OSError:  # the job wrote it through a mount of its own
        shutil.copyfile(source, target)
    if os.geteuid() == 0:
        os.chown(target, 0, 0)
    os.chmod(target, files.OWNER_ONLY)
    if durable:
        files.sync(target)
    return Result(file=name, media_type=media_type, size=target.stat().st_size)


def _inside(work: Path, output_id: str, name: str) -> Path:
    """The file that the job named; it must be one, and its own."""
    path = Path(os.path.abspath(work / name))
    try:
        found = path.lstat()
    except (OSError, ValueError):
        raise Unpublishable(f"output {output_id!r}: there is no file {name!r}") from None
    if not stat.S_ISREG(found.st_mode):
        raise Unpublishable(f"output {output_id!r}: {name!r} is not a regular file")
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(work)):
        raise Unpublishable(f"output {output_id!r}: {name!r} does not lie in the job's working directory")
    return path


def _tame(name: str) -> str:
    """A name that can stand in a header and leaves room for more: printable, in UTF-8, not too long."""
    readable = os.fsencode(name).decode(errors="replace")
    stem, suffix = os.path.splitext("".join(letter if letter.isprintable() else "_" for letter in readable))
    return _cut(stem, 120) + _cut(suffix, 20)


def _cut(text: str, length: int) -> str:
    """At most so many bytes of a text in UTF-8."""
    return text.encode()[:length].decode(errors="ignore")


def _free_name(output_id: str, name: str, names: set[str]) -> str:
    candidate, number = name, 1
    while candidate in names:
        first = _cut(_tame(output_id), 60)
        candidate = f"{first}-{name}" if number == 1 else f"{first}-{number}-{name}"
        number += 1
    names.add(candidate)
    return candidate
