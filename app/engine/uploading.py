"""Outputs of a job, copied into an object store where others look for them (`publish_to`).

Supervisors do it in a process of their own: whatever hangs, that process can be ended.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from geomill.app import s3
from geomill.app.access import open_guard
from geomill.app.config import Settings
from geomill.app.credentials import FILE, Credential, CredentialError, Credentials
from geomill.app.engine import isolation
from geomill.app.engine.held import Unpublishable
from geomill.app.guard import Guard, Refused, Unreachable
from geomill.jobstore import Result

if TYPE_CHECKING:
    from http.client import HTTPResponse

CAUSE = "publish"
PART = 8 * 2**20  # bytes that are in memory at once; a larger file is sent in parts
MOST_PARTS = 10_000  # AWS S3, "Multipart upload limits"
TRIES = 4
BREATH = 1.0  # seconds before the second try; then twice as long each time
LONGEST = 2000  # characters of a reason
ANSWER = 2**16  # bytes of an answer that are read


class _Again(Exception):
    """What may be well the next time."""


def copied(settings: Settings, tenant: str, folder: Path, results: Sequence[Result]) -> dict[str, str]:
    """Have the files of a job copied by a process of its own, and give their addresses by their paths.

    folder: of the job. Raises Unpublishable.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        _be(settings, tenant, folder, results, writing)
    os.close(writing)
    with open(reading, "rb") as channel:
        content = channel.read()
    said = json.loads(content) if content else {}
    if "copied" not in said:
        raise Unpublishable(said.get("failure", "what copied the outputs ended early"), CAUSE)
    return addresses(settings, f"{tenant}/{folder.name}", results)


def addresses(settings: Settings, at: str, results: Sequence[Result]) -> dict[str, str]:
    """Where copies are, by the paths of the files: below `publish_url`, else in the store.

    at: what is of their job, below `publish_to`.
    """
    base = settings.publish_url or settings.publish_to
    return {path: f"{base}/{at}/{quote(path)}" for path in map(_path, results)}


def _be(settings: Settings, tenant: str, folder: Path, results: Sequence[Result], writing: int) -> NoReturn:
    """Be the process that copies: say {"copied": bytes} or {"failure": why}, and end."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    isolation.close_all_but([0, 1, 2, writing])
    isolation.die_with_parent()
    said: dict[str, Any] = {}
    try:
        said = {"copied": copy(settings, tenant, folder, results)}
    except (Refused, Unreachable, CredentialError, Unpublishable, OSError) as error:
        said = {"failure": str(error)[:LONGEST]}
    finally:  # whatever happened: nothing of the supervisor's is done twice
        with suppress(OSError):
            os.write(writing, json.dumps(said).encode())
        os._exit(0)


def copy(settings: Settings, tenant: str, folder: Path, results: Sequence[Result]) -> int:
    """Copy the files of a job, and give their bytes. Raises Unpublishable, Refused, Unreachable, OSError."""
    upload = _Upload.of(settings, tenant, settings.time_limit)
    for result in results:
        path = _path(result)
        place = upload.place(f"{tenant}/{folder.name}/{path}")
        upload.file(place, folder / "outputs" / path, result.media_type)
    return sum(result.size or 0 for result in results)


def credential(settings: Settings, tenant: str) -> Credential:
    """The keys that a tenant's outputs are copied with. Raises CredentialError."""
    place = s3.place(f"{settings.publish_to}/{tenant}/")
    found = s3.chosen(Credentials(settings.home / tenant / FILE).all().values(), place)
    if found is None or not found.user:
        raise CredentialError(f"there are no keys for {settings.publish_to} among the credentials of {tenant}")
    return found


@dataclass
class _Upload:
    """Requests to one store."""

    guard: Guard
    credential: Credential
    base: str
    deadline: float

    @classmethod
    def of(cls, settings: Settings, tenant: str, seconds: float) -> _Upload:
        keys = credential(settings, tenant)
        return cls(open_guard(settings, tenant), keys, str(settings.publish_to), time.monotonic() + seconds)

    def place(self, path: str) -> s3.Place:
        """Where a file goes."""
        return s3.place(f"{self.base}/{quote(path)}")

    def file(self, place: s3.Place, path: Path, media_type: str) -> None:
        """Put a file there, whole or not at all."""
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= PART:
                self._ask("PUT", place, "", file.read(), media_type)
                return
            most = max(PART, -(-size // MOST_PARTS))
            begun = self._ask("POST", place, "uploads", b"", media_type)[1]
            upload = _text(begun, "UploadId")
            try:
                tags = [self._part(place, upload, number, part) for number, part in _parts(file, most)]
                self._ask("POST", place, f"uploadId={quote(upload, safe='')}", _joined(tags), "application/xml")
            except BaseException:
                self._forget(place, upload)
                raise

    def _part(self, place: s3.Place, upload: str, number: int, part: bytes) -> str:
        query = f"partNumber={number}&uploadId={quote(upload, safe='')}"
        return self._ask("PUT", place, query, part)[0].get("etag", "")

    def _forget(self, place: s3.Place, upload: str) -> None:
        """Parts that are no file yet cost their owner money. If this fails, too, there is nothing to add."""
        with suppress(Refused, Unreachable, Unpublishable, OSError):
            self._ask("DELETE", place, f"uploadId={quote(upload, safe='')}", b"", tries=1)

    def _ask(
        self, method: str, place: s3.Place, query: str, body: bytes, media_type: str = "", tries: int = TRIES
    ) -> tuple[Mapping[str, str], bytes]:
        """One request, tried again as long as that may help: the headers and the beginning of the answer."""
        for number in range(tries):
            try:
                return self._once(method, place, query, body, media_type)
            except (Unreachable, _Again) as error:
                failure = error
            if number + 1 < tries:
                time.sleep(BREATH * 2**number)
        raise Unpublishable(str(failure), CAUSE)

    def _once(
        self, method: str, place: s3.Place, query: str, body: bytes, media_type: str
    ) -> tuple[Mapping[str, str], bytes]:
        from geomill.app import download  # http.client and ssl: only where something is sent

        where = s3.url(place, "", self.credential) + (f"?{query}" if query else "")
        target, addresses = self.guard.reached(where)
        more = {"content-type": media_type} if media_type else {}
        headers = s3.sign(self.credential, method, target, body, more=more)
        with download.send(method, target, addresses, self.deadline, headers, body) as response:
            said, answer = _heard(response)
        failed = response.status >= 300 or b"<Error>" in answer  # a 200 may turn out to be none after a while
        if not failed:
            return said, answer
        why = s3.trouble(response.status, said, answer, self.credential)
        told = f"s3://{place.bucket}/{quote(place.key)} cannot be written: {why}"
        if response.status in (408, 429) or response.status >= 500 or response.status < 300:
            raise _Again(told)
        raise Unpublishable(told, CAUSE)


def _heard(response: HTTPResponse) -> tuple[dict[str, str], bytes]:
    from http.client import HTTPException

    try:
        return {name.lower(): value for name, value in response.getheaders()}, response.read(ANSWER)
    except (OSError, HTTPException) as error:
        raise Unreachable(f"the store broke off its answer: {error}") from error


def _parts(file: Any, most: int) -> Iterator[tuple[int, bytes]]:
    """The parts of a file, numbered from 1, one in memory at a time."""
    number = 1
    while part := file.read(most):
        yield number, part
        number += 1


def _joined(tags: Sequence[str]) -> bytes:
    """The parts that make a file."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{tag.replace('&', '&amp;').replace('<', '&lt;')}</ETag></Part>"
        for number, tag in enumerate(tags, 1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


def _text(answer: bytes, name: str) -> str:
    found = re.search(rf"<{name}>([^<]+)</{name}>".encode(), answer)
    if found is None:
        raise Unpublishable(f"the store's answer has no {name}", CAUSE)
    return found[1].decode()


def _path(result: Result) -> str:
    return str(result.file)
