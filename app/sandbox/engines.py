"""Images that podman or docker keep on this host, unpacked for bubblewrap: engines store images, they run nothing.

    <home>/images/<id>/rootfs/         the file system of an image
    <home>/images/<id>/image.json      the environment that it gives
    <home>/images/by-name/<reference>  a link to what the reference stood for when it was last prepared

A container would be a process of the engine, not of the job: bound by none of its limits, alive when it is dismissed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from geomill.app.sandbox.images import Image
from geomill.processes.deployed import keeping

_ENGINES = ("podman", "docker")
_PATIENCE = 10.0  # seconds for what takes a moment
# what cannot be mistaken for an option, a file or another transport
_REFERENCE = re.compile(r"(\w[\w.-]*(:\d+)?/)?[a-z0-9][a-z0-9._/-]*(:\w[\w.-]*)?(@sha256:[0-9a-f]{64})?", re.ASCII)
_LONG = 3600.0  # seconds to pull or unpack an image


class EngineError(Exception):
    """An engine could not do what was asked of it, and says why."""


@dataclass(frozen=True)
class Stored:
    """An image that an engine keeps. number: its id, in hex digits."""

    engine: str
    number: str
    environment: Mapping[str, str]


def stored(reference: str) -> Stored | None:
    """The image as the first engine that has it keeps it."""
    for engine in filter(shutil.which, _ENGINES if _REFERENCE.fullmatch(reference) else ()):
        try:
            (found,) = json.loads(_told(_PATIENCE, engine, "image", "inspect", reference))
        except EngineError:
            continue
        variables = (found.get("Config") or {}).get("Env") or []
        environment = {name: value for name, _, value in (one.partition("=") for one in variables)}
        return Stored(engine, found["Id"].removeprefix("sha256:"), environment)
    return None


def pull(reference: str) -> Stored:
    """Let an engine fetch the image. Raises EngineError."""
    if not _REFERENCE.fullmatch(reference):
        raise EngineError('expected a name such as "ghcr.io/eoap/crop:1.0"')
    reasons = []
    for engine in filter(shutil.which, _ENGINES):
        try:
            _told(_LONG, engine, "pull", "--quiet", "docker://" * (engine == "podman") + reference)
        except EngineError as error:
            reasons.append(str(error))
        else:
            if found := stored(reference):
                return found
    raise EngineError("; ".join(reasons) or "there is neither podman nor docker")


def unpacked(images: Path, reference: str) -> Image | None:
    """What was prepared for a reference, as often as it is asked for without any engine."""
    folder = images / "by-name" / quote(reference, safe="")
    try:
        environment = json.loads((folder / "image.json").read_text())
    except OSError:
        return None
    return Image(rootfs=(folder / "rootfs").resolve(), environment=environment)


def unpack(images: Path, reference: str, image: Stored) -> None:
    """Make the image ready for everybody who may run jobs. Raises EngineError, OSError."""
    link = images / "by-name" / quote(reference, safe="")
    link.parent.mkdir(parents=True, exist_ok=True)
    for folder in (images, link.parent):
        folder.chmod(0o711)
    if not (images / image.number).exists():
        _unpack(images, image)
    with keeping(images), tempfile.TemporaryDirectory(dir=images) as scratch:
        try:
            os.utime(images / image.number)  # who removes what nothing needs leaves it for a day
        except FileNotFoundError as error:
            raise EngineError("the image was removed this moment; try again") from error
        os.symlink(f"../{image.number}", f"{scratch}/link")
        os.replace(f"{scratch}/link", link)


def _unpack(images: Path, image: Stored) -> None:
    """The file system appears whole, or not at all."""
    with tempfile.TemporaryDirectory(dir=images) as scratch:
        folder = Path(scratch, "image")
        (folder / "rootfs").mkdir(parents=True)
        container = _told(_PATIENCE, image.engine, "create", "--network", "none", image.number, "/bin/sh").strip()
        try:
            _export(image.engine, container, folder / "rootfs")
        finally:
            _told(_PATIENCE, image.engine, "rm", container)
        # its users mean nothing here, and no file of a stranger's may lend the rights of ours
        (folder / "image.json").write_text(json.dumps(image.environment))
        _told(_LONG, "chmod", "-R", "u+rwX,a+rX,go-w,a-st", str(folder))
        try:
            os.rename(folder, images / image.number)
        except OSError:
            if not (images / image.number).is_dir():  # somebody else was faster
                raise


def _export(engine: str, container: str, folder: Path) -> None:
    extract = ["tar", "--extract", "--no-same-owner", "--exclude=dev/*", "--exclude=./dev/*", "-C", str(folder)]
    with subprocess.Popen([engine, "export", container], stdout=subprocess.PIPE) as export:
        done = subprocess.run(extract, stdin=export.stdout, capture_output=True, text=True)
    if export.returncode or done.returncode:
        raise EngineError(f"{engine} export: {done.stderr.strip()[-300:] or export.returncode}")


def _told(seconds: float, *command: str) -> str:
    """What a command prints. Raises EngineError with what it says when it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise EngineError(f"{command[0]}: {done.stderr.strip()[-300:] or done.returncode}")
    return done.stdout
