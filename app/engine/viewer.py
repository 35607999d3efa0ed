"""A process that looks into a file that a job wrote: draws its picture, or reads the value at a place.

    template -> keeper -> reader

What a job wrote is hostile, and so are the libraries that read it, in effect. The reader has the file open and a pipe
to answer by; it has no network, no rights of the server, and little memory and time. The keeper knows the home, reads
the answer, keeps it, and ends the reader; when it ends, nothing of them is left.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from geomill.app.config import Settings
from geomill.app.engine import isolation, limits
from geomill.app.engine.supervisor import MESSAGE
from geomill.app.pictures import meaning
from geomill.app.pictures.meaning import Meaning
from geomill.jobstore import JobStore, Limits, Result, files, pictures

SECONDS = {"picture": 30.0, "first": 5.0, "value": 5.0}  # first: a picture's first try
MEMORY = 1 << 30  # bytes
MOST = 16 << 20  # bytes of an answer
ITEMS = 4 << 20  # bytes of STAC items that are read for what they say of a file
PNG = b"\x89PNG\r\n\x1a\n"
LATE = "It is too large for a picture: drawing it takes longer than {:g} s. Overviews in the file would help."
BROKEN = "It is too large, or damaged: whoever read it was ended before it was done."
MISSING = "This server has no library that reads GeoTIFFs; whoever runs it can install geomill[geo]."
GONE = "The file is not there any more."
FULL = "There is no room for a picture."
BINDING = Limits(cpu_seconds=SECONDS["picture"], memory_limit=MEMORY, files=64, work=1)


@dataclass(frozen=True)
class Asked:
    """What a reader is to find out. at: longitude and latitude of a value, None for a picture; band: the one that is
    meant, counted from 1; described: what others say of the bands, in order.
    """

    at: tuple[float, float] | None = None
    band: int | None = None
    described: Sequence[Meaning] = ()


def view(order: dict[str, Any], link: socket.socket, store: JobStore, settings: Settings) -> None:
    """Be the keeper. order: as in Views; link: takes the answer. store: of any tenant."""
    isolation.close_all_but([0, 1, 2, link.fileno()])
    isolation.die_with_parent()
    isolation.set_name("geomill-view")
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.umask(files.UMASK)
    answer = _answer(order, store.of(order["tenant"]), settings)
    content = json.dumps({"view": order["view"], **answer}).encode()
    if len(content) > MESSAGE:
        content = json.dumps({"view": order["view"], "error": BROKEN}).encode()
    link.send(content)


def _answer(order: dict[str, Any], store: JobStore, settings: Settings) -> dict[str, Any]:
    """The value; {} when a picture was kept; {"late"} when it needs another try; {"error"} where there is neither."""
    job_id, file, band = order["job"], order["file"], order["band"]
    at = None if order["at"] is None else tuple(order["at"])
    try:
        described = _described(store, job_id, file)
        with _open(store, job_id, file) as descriptor:
            said, picture = _looked(descriptor, Asked(at, band, described), order["kind"], settings)
        if said.pop("late", False) and order["kind"] == "first":
            return {"late": True}
        if at is not None:
            return said
        pictures.keep(store, job_id, file, band, said, picture)
    except FileNotFoundError:
        return {"error": GONE}
    except OSError:
        return {"error": FULL}
    except Exception as error:  # the job has gone meanwhile, or somebody writes it
        return {"error": str(error)[:500]}
    return {}


def _described(store: JobStore, job_id: str, file: str) -> list[Meaning]:
    """What STAC items among the results say of the bands of a file."""
    left = ITEMS

    def read(result: Result) -> bytes | None:
        nonlocal left
        left -= result.size or 0
        if left < 0:
            return None
        with (
            suppress(OSError),
            _open(store, job_id, str(result.file)) as descriptor,
            open(descriptor, "rb", closefd=False) as opened,
        ):
            return opened.read(result.size or 0)
        return None

    return meaning.of_file(store.results(job_id), file, read)


@contextmanager
def _open(store: JobStore, job_id: str, file: str) -> Iterator[int]:
    descriptor = os.open(store.output(job_id, file), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _looked(descriptor: int, asked: Asked, kind: str, settings: Settings) -> tuple[dict[str, Any], bytes]:
    """What a reader says of an open file, and the picture that it drew. kind: which of SECONDS it has."""
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    seconds = SECONDS[kind]
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _read(descriptor, asked, theirs, settings)
    os.close(theirs)
    content = _heard(ours, time.monotonic() + seconds)
    os.close(ours)
    os.kill(pid, signal.SIGKILL)  # it is our child, and was not waited for: the pid is its own
    os.waitpid(pid, 0)
    if content is None:
        return {"error": LATE.format(seconds), "late": True}, b""
    return _parsed(content)


def _heard(pipe: int, deadline: float) -> bytes | None:
    """All that is written into a pipe; None where that does not come to an end."""
    content, poll = bytearray(), select.poll()
    poll.register(pipe, select.POLLIN)
    while len(content) <= MOST and poll.poll(max(0, deadline - time.monotonic()) * 1000):
        block = os.read(pipe, 1 << 20)
        if not block:
            return bytes(content)
        content += block
    return None


def _parsed(content: bytes) -> tuple[dict[str, Any], bytes]:
    """A line of JSON, and a PNG or nothing: whatever else comes is no answer."""
    line, _, picture = content.partition(b"\n")
    with suppress(ValueError, RecursionError, LookupError, TypeError):
        head = json.loads(line)
        whole = len(picture) == head["size"] and (not picture or picture.startswith(PNG))
        if whole and isinstance(head["said"], dict):
            return head["said"], picture
    return {"error": BROKEN}, b""


def _read(descriptor: int, asked: Asked, pipe: int, settings: Settings) -> NoReturn:
    """Be the reader."""
    try:
        _give_up_all_but(descriptor, pipe, settings)
        said, picture = _see(descriptor, asked)
        with open(pipe, "wb", closefd=False) as file:
            head = {"said": said, "size": len(picture)}
            file.write(json.dumps(head, allow_nan=False).encode() + b"\n" + picture)
    finally:
        os._exit(0)


def _give_up_all_but(descriptor: int, pipe: int, settings: Settings) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # a hostile file fills no log
        os.dup2(null, number)
    isolation.close_all_but([0, 1, 2, descriptor, pipe])
    isolation.set_name("geomill-read")
    isolation.leave_network()
    isolation.leave_keyring()
    with suppress(OSError):
        isolation.expose_to_oom_killer()
    limits.bind(BINDING, processes=1)
    if settings.job_user and os.geteuid() == 0:
        isolation.become(settings.job_user)
    isolation.die_with_parent()


def _see(descriptor: int, asked: Asked) -> tuple[dict[str, Any], bytes]:
    try:
        from geomill.app.pictures import drawing, pixels, reading
    except ImportError:
        return {"error": MISSING}, b""
    try:
        if asked.at is not None:
            return pixels.value(descriptor, *asked.at, asked.band, asked.described), b""
        return drawing.draw(descriptor, asked.band, asked.described)
    except reading.Undrawable as error:
        return {"error": str(error)}, b""
