"""From work/ to outputs/: what a job gave becomes its results. Files first, then results.json, then the status."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geomill.jobstore import Result, files
from geomill.jobstore.records import dump

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
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
    files.write_json(folder / "results.json", content, durable=durable)


def _publish(folder: Path, output_id: str, result: Any, names: set[str], durable: bool) -> Result:
    if not isinstance(result, dict) or not isinstance(result.get("items", []), list):
        raise Unpublishable(f"output {output_id!r}: what the job said of it makes no sense")
    if "items" in result:
        items = tuple(_publish(folder, output_id, item, names, durable) for item in result["items"])
        return Result(items=items, media_type="application/json")
    media_type = str(result.get("media_type"))
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise Unpublishable(f"output {output_id!r}: {media_type!r} is no media type")
    if "file" not in result:
        return Result(value=result.get("value"), media_type=media_type)
    (folder / "outputs").mkdir(exist_ok=True, mode=0o711)
    with _held(folder / "work", output_id, str(result["file"])) as held:
        name = _free_name(output_id, _tame(Path(str(result["file"])).name), names)
        target = folder / "outputs" / name
        _keep(held, target)
        if durable:
            files.sync(target)
        return Result(file=name, media_type=media_type, size=os.stat(held).st_size)


@contextmanager
def _held(work: Path, output_id: str, name: str) -> Iterator[int]:
    """The file that the job named, by a descriptor (O_PATH): what is judged is what is kept, whoever swaps its name.

    It must be a regular file in the job's working directory, of the job's user, and not behind a link.
    """
    try:
        descriptor = _open_below(work, os.path.normpath(work / name))
    except (OSError, ValueError) as error:
        loop = isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENOTDIR)
        why = "lies behind a link, or out of the working directory" if loop else "is not there"
        raise Unpublishable(f"output {output_id!r}: there is no file {name!r}: it {why}") from None
    try:
        found = os.stat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Unpublishable(f"output {output_id!r}: {name!r} is not a regular file")
        if found.st_uid not in (os.geteuid(), work.stat().st_uid):
            raise Unpublishable(f"output {output_id!r}: {name!r} belongs to somebody else")
        yield descriptor
    finally:
        os.close(descriptor)


def _open_below(work: Path, path: str) -> int:
    """Open a path step by step, so that nothing in it can lead out. Raises OSError, ValueError."""
    for root in (str(work), os.path.realpath(work)):  # a job may know its folder by either name
        if path.startswith(f"{root}/"):
            *folders, name = path.removeprefix(f"{root}/").split("/")
            break
    else:
        raise OSError(errno.ELOOP, "outside")
    here = os.open(work, _FOLDER)
    try:
        for folder in folders:
            outer, here = here, os.open(folder, _FOLDER, dir_fd=here)
            os.close(outer)
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
    return found


def _keep(held: int, target: Path) -> None:
    """Give a file its place among the outputs, and to the server alone."""
    path = f"/proc/self/fd/{held}"
    folder = os.open(target.parent, _FOLDER)
    try:
        # with a folder to start from it is a linkat, which alone follows that link to the file itself
        os.link(path, target.name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:  # the job wrote it through a mount of its own
        with open(path, "rb") as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy)
    finally:
        os.close(folder)
    if os.geteuid() == 0:
        os.chown(target, 0, 0)
    os.chmod(target, files.OWNER_ONLY)


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
