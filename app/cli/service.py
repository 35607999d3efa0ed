"""An OGC API - Processes service as the commands see it, whichever way its requests travel."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urljoin, urlsplit

from geomill.app.cli import outputs
from geomill.app.cli.outputs import Output

Json = dict[str, Any]
OPEN = {"created", "accepted", "running"}  # the states of a job that has not ended
ACCEPT = "application/json, multipart/related;q=0.5, */*;q=0.1"


class Readable(Protocol):
    """What is sent in pieces."""

    def read(self, size: int = -1) -> bytes: ...  # noqa: D102


Body = bytes | Readable


class ServiceError(Exception):
    """What the service answered instead of what was asked; one line."""


@dataclass(frozen=True)
class Reply:
    """An answer. headers: by names in lower case; chunks: the body, read once; url: where it came from."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    url: str

    def body(self) -> bytes:
        """All of the body."""
        return b"".join(self.chunks)

    def json(self) -> Any:
        """The body as JSON. Raises ServiceError."""
        try:
            return json.loads(self.body())
        except ValueError as error:
            kind = self.headers.get("content-type", "no media type")
            raise ServiceError(
                f"{self.url}: expected JSON, found {kind}; is it an OGC API - Processes server?"
            ) from error


@dataclass(frozen=True)
class Job:
    """A job: its URL, and the id to show to people."""

    url: str
    job_id: str


class Service(ABC):
    """The few things asked of a service, of version 1.0 or the 2.0 draft; members it leaves out are missed by nobody.

    Jobs are named by id or by URL. All methods raise ServiceError.
    """

    def __init__(self, url: str) -> None:
        """url: of the landing page, with or without a slash at the end."""
        self.url = url.rstrip("/")

    @abstractmethod
    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Reply:
        """One request, whatever its answer. Raises ServiceError when there is none."""

    def processes(self) -> Iterator[Json]:
        """Summaries of all processes."""
        return self._pages(f"{self.url}/processes", "processes")

    def broken(self) -> list[str]:
        """Files that should be processes and are not, and why; no service tells, only a home."""
        return []

    def describe(self, process_id: str) -> Json:
        """The description of a process."""
        return self._document(f"{self.url}/processes/{quote(process_id, safe='')}")

    def execute(self, process_id: str, request: Json, *, wait: bool) -> Job | list[Output]:
        """Submit a job; the results themselves when the service waited for them, asked to (wait) or of itself."""
        headers = {"Content-Type": "application/json"} | ({} if wait else {"Prefer": "respond-async"})
        url = f"{self.url}/processes/{quote(process_id, safe='')}/execution"
        reply = self._asked("POST", url, headers, json.dumps(request).encode())
        if reply.status in (201, 202):
            return self._submitted(reply)
        found = outputs.read(reply.body(), reply.headers.get("content-type", ""), reply.url)
        values = {output.name: output.value for output in found}
        if not wait and {"jobID", "status"} <= set(values):  # 200 where 201 is due
            return self.job(str(values["jobID"]))
        return found

    def uploads(self) -> str | None:
        """Where files are sent that are to be inputs; None where the service takes none."""
        reply = self.send("GET", f"{self.url}/", {"Accept": "application/json"})
        try:
            links = _object(_check(reply)).get("links") or ()
        except ServiceError:
            return None
        found = (link for link in links if isinstance(link, dict) and link.get("rel") == "uploads")
        return next((urljoin(f"{self.url}/", str(link["href"])) for link in found if link.get("href")), None)

    def upload(self, url: str, content: Readable, size: int, name: str, media_type: str) -> str:
        """Send a file: the address that it has then. url: as of `uploads`."""
        headers = {"Content-Type": media_type, "Content-Length": str(size)}
        reply = self._asked("POST", f"{url}?{urlencode({'name': name})}", headers, content)
        return str(_object(reply).get("href"))

    def job(self, name: str) -> Job:
        """The job called so, by its id or its URL."""
        if "://" in name:
            return Job(name, _last_segment(name))
        return Job(f"{self.url}/jobs/{quote(name, safe='')}", name)

    def jobs(self, limit: int, **wanted: str | None) -> Iterator[Json]:
        """The status of at most limit jobs, in the order of the service. wanted: what members of it have to be."""
        asked = {name: value for name, value in wanted.items() if value is not None}
        found = self._pages(f"{self.url}/jobs?{urlencode({'limit': limit, **asked})}", "jobs")
        # once more, for a service that knows no filters
        kept = (job for job in found if all(job.get(name, "") == value for name, value in asked.items()))
        return islice(kept, limit)

    def status(self, job: Job) -> Json:
        """The status of a job."""
        return self._document(job.url)

    def results(self, job: Job) -> list[Output]:
        """The outputs of a successful job."""
        url = self._link(job, "results") or f"{job.url}/results"
        reply = self._asked("GET", url, {"Accept": ACCEPT})
        return outputs.read(reply.body(), reply.headers.get("content-type", ""), reply.url)

    def deploy(self, package: bytes, media_type: str, w: str | None) -> str:
        """Deploy a package: the id of its process. w: names the entry of a document that has several."""
        url = f"{self.url}/processes" + (f"?{urlencode({'w': w})}" if w else "")
        reply = self._asked("POST", url, {"Content-Type": media_type}, package)
        return str(_object(reply).get("id"))

    def undeploy(self, process_id: str) -> None:
        """Take a deployed process away."""
        self._asked("DELETE", f"{self.url}/processes/{quote(process_id, safe='')}", {}).body()

    def retry(self, job: Job) -> Job:
        """Repeat a job that has ended, without the steps that it had finished: the new job."""
        return self._submitted(self._asked("POST", f"{job.url}/retry", {}))

    def pin(self, job: Job, pinned: bool) -> Json:
        """Keep a job from expiring, or let it: its status."""
        return _object(self._asked("PUT" if pinned else "DELETE", f"{job.url}/pin", {"Accept": "application/json"}))

    def step_log(self, job: Job, step: str) -> Iterator[bytes]:
        """What one step of a job has printed."""
        links = [link for link in self.status(job).get("links") or () if isinstance(link, dict)]
        logs = {_last_segment(str(link.get("href"))).removesuffix(".log"): link for link in links if _is_log(link)}
        if step not in logs:
            known = f"there are {', '.join(sorted(logs))}" if logs else "it has no steps"
            raise ServiceError(f"{job.job_id}: no step {step!r} has a log; {known}")
        return self._asked("GET", urljoin(job.url, str(logs[step]["href"])), {"Accept": "text/plain"}).chunks

    def log(self, job: Job, start: int = 0) -> bytes:
        """What the job has printed, from byte `start` on."""
        url = self._link(job, "log") or f"{job.url}/logs"
        offset = f"{'&' if '?' in url else '?'}offset={start}" if start else ""
        reply = self.send("GET", url + offset, {"Accept": "text/plain"})
        content = reply.body()
        if reply.status >= 400 or not reply.headers.get("content-type", "").startswith("text/plain"):
            raise ServiceError(f"{job.job_id}: no log is shown by this service")
        return content if "next-offset" in reply.headers else content[start:]

    def dismiss(self, job: Job) -> Json:
        """Stop a job: its status, which may still be running. Raises ServiceError for one that has ended."""
        while True:  # every report of progress changes the ETag
            status, etag = self._status_and_etag(job)
            if is_over(status):
                raise ServiceError(f"{job.job_id}: the job has ended ({status.get('status')}); `remove` deletes it")
            answer = self._delete(job, etag)
            if answer is not None:
                return answer if "status" in answer else self.status(job)

    def remove(self, job: Job) -> None:
        """Delete a job that has ended. Raises ServiceError for one that has not."""
        status, etag = self._status_and_etag(job)
        if not is_over(status):
            raise ServiceError(f"{job.job_id}: the job is {status.get('status')}; `dismiss` stops it")
        if self._delete(job, etag) is None:
            raise ServiceError(f"{job.job_id}: the job has changed meanwhile; look at it again")

    def fetch(self, url: str) -> Reply:
        """What lies behind a link."""
        return self._asked("GET", url, {})

    def _delete(self, job: Job, etag: str | None) -> Json | None:
        """What the service says of the job it deleted as it was, or None: DELETE dismisses, and it removes."""
        reply = self.send("DELETE", job.url, {"Accept": "application/json"} | ({"If-Match": etag} if etag else {}))
        if reply.status == 412:
            reply.body()
            return None
        text = _check(reply).body()
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        return said if isinstance(said, dict) else {}

    def _status_and_etag(self, job: Job) -> tuple[Json, str | None]:
        reply = self._asked("GET", job.url, {"Accept": "application/json"})
        return _object(reply), reply.headers.get("etag")

    def _submitted(self, reply: Reply) -> Job:
        """The job that a 201 names: by Location, else by the id in its body."""
        try:
            status = json.loads(reply.body())
        except ValueError:
            status = None
        job_id = (status.get("jobID") or status.get("id")) if isinstance(status, dict) else None
        if location := reply.headers.get("location"):
            url = urljoin(reply.url, location)
            return Job(url, str(job_id or _last_segment(url)))
        if job_id:
            return self.job(str(job_id))
        raise ServiceError(f"{reply.url}: answered {reply.status}, but names no job")

    def _link(self, job: Job, relation: str) -> str | None:
        """Where the status of a job says that its results or its log are; never a page for people."""
        for link in self.status(job).get("links") or ():
            if isinstance(link, dict) and link.get("href") and "html" not in str(link.get("type")):
                if str(link.get("rel")).rsplit("/", 1)[-1] == relation:
                    return urljoin(job.url, str(link["href"]))
        return None

    def _pages(self, url: str | None, member: str) -> Iterator[Json]:
        seen: set[str] = set()
        while url and url not in seen:
            seen.add(url)
            page = self._document(url)
            yield from (item for item in page.get(member) or () if isinstance(item, dict))
            links = [link for link in page.get("links") or () if isinstance(link, dict)]
            following = next(
                (str(link["href"]) for link in links if link.get("rel") == "next" and "href" in link), None
            )
            url = urljoin(url, following) if following else None

    def _document(self, url: str) -> Json:
        return _object(self._asked("GET", url, {"Accept": "application/json"}))

    def _asked(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Reply:
        return _check(self.send(method, url, {"Accept": ACCEPT, **headers}, body))


def _is_log(link: Json) -> bool:
    """Whether a link leads to the log of a step."""
    return link.get("rel") == "related" and str(link.get("href")).endswith(".log")


def is_over(status: Json) -> bool:
    """Whether a job has ended, by its status document."""
    return status.get("status") not in OPEN


def _check(reply: Reply) -> Reply:
    """The reply, if it is no error. Raises ServiceError with what the problem document says."""
    if reply.status < 400:
        return reply
    text = reply.body().decode(errors="replace")
    try:
        problem = json.loads(text)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        raise ServiceError(f"{reply.url}: answered {reply.status}")
    title = problem.get("title") or problem.get("code") or str(problem.get("type", "")).rsplit("/", 1)[-1]
    detail = problem.get("detail") or problem.get("description")
    said = [str(part) for part in (title, detail) if part]
    if " " in str(detail):  # a sentence says it all
        said = [str(detail)]
    raise ServiceError(": ".join(dict.fromkeys(said)) or f"{reply.url}: answered {reply.status}")


def _object(reply: Reply) -> Json:
    document = reply.json()
    if not isinstance(document, dict):
        raise ServiceError(f"{reply.url}: expected a JSON object")
    return document


def _last_segment(url: str) -> str:
    return urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]
