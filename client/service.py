"""An OGC API - Processes service as its clients see it, whichever way their requests travel."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol
from urllib.parse import quote, urlencode, urlsplit

from geomill.client import outputs
from geomill.client.errors import ServiceError
from geomill.client.links import below, is_log, last_segment, link_to, links_of, segment
from geomill.client.outputs import Outputs
from geomill.client.reply import CONTENT, Json, Reply, joined, origin, parsed
from geomill.client.states import is_over

ACCEPT = "application/json, multipart/related;q=0.5, */*;q=0.1"
PAGE = 1000  # jobs that are asked for at once, at most
PAGES = 1000  # of one list, at most
LONGEST_REST = 60.0  # seconds that a service may ask for between two looks at a job


class Readable(Protocol):
    """What is sent in pieces."""

    def read(self, size: int = -1) -> bytes: ...  # noqa: D102


Body = bytes | Readable


@dataclass(frozen=True)
class Address:
    """Where a job is: its URL, and the id to show to people."""

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
    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None, within: float | None = None
    ) -> Reply:
        """One request, whatever its answer. Raises ServiceError when there is none.

        within: seconds for the answer and for its body, with no second try; None where patience is due.
        """

    def processes(self) -> Iterator[Json]:
        """Summaries of all processes."""
        return self._pages(f"{self.url}/processes", "processes")

    def broken(self) -> list[str]:
        """Files that should be processes and are not, and why; no service tells, only a home."""
        return []

    def describe(self, process_id: str) -> Json:
        """The description of a process."""
        return self._document(f"{self.url}/processes/{segment(process_id, 'process')}")

    def execute(
        self, process_id: str, request: Json, *, wait: bool, at: str | None = None
    ) -> tuple[Address | None, Outputs | None]:
        """Submit a job: where it is, as far as the service says; and its outputs, if the service waited for them.

        wait: it is asked to; it may of itself. at: where its process says that it is executed.
        """
        headers = {"Content-Type": "application/json"} | ({} if wait else {"Prefer": "respond-async"})
        url = self._path(f"/processes/{segment(process_id, 'process')}/execution", at)
        reply = self.submit(url, {"Accept": ACCEPT, **headers}, json.dumps(request).encode()).checked()
        body = reply.body(CONTENT)
        status = parsed(body)
        job = self._named(reply, status if isinstance(status, dict) else {})
        if reply.status in (201, 202) and job is None:
            raise ServiceError(f"{reply.url}: answered {reply.status}, but names no job")
        if reply.status in (201, 202) or (job and reply.status == 204):
            return job, None
        if not wait and isinstance(status, dict) and {"jobID", "status"} <= set(status):  # 200 where 201 is due
            return job or self._called(status["jobID"]), None
        return job, outputs.read(body, reply.media_type, reply.url)

    def submit(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send an execution, once."""
        return self.send("POST", url, headers, body)

    def landing(self, relation: str) -> str | None:
        """Where a link of the landing page leads that has this relation, None where there is none."""
        try:
            document = self._document(f"{self.url}/")
        except ServiceError:
            return None
        return link_to(document, relation, f"{self.url}/")

    def uploads(self) -> str | None:
        """Where files are sent that are to be inputs; None where the service takes none."""
        link = self.landing("uploads")
        return link and self._path("/uploads", link)

    def upload(self, url: str, content: Readable, size: int, name: str, media_type: str) -> str:
        """Send a file: the address that it has then. url: as of `uploads`."""
        headers = {"Content-Type": media_type, "Content-Length": str(size)}
        reply = self._asked("POST", f"{url}?{urlencode({'name': name})}", headers, content)
        href = reply.object().get("href")
        if not isinstance(href, str):
            raise ServiceError(f"{url}: took the file {name}, but does not say where it is")
        return joined(reply.url, href)

    def job(self, name: str) -> Address:
        """The job called so, by its id or its URL."""
        if isinstance(name, str) and "://" in name:
            origin(name)
            return Address(name, last_segment(name))
        return Address(f"{self.url}/jobs/{segment(name, 'job')}", name)

    def jobs(self, limit: int, **wanted: str | None) -> Iterator[Json]:
        """The status of at most limit jobs, in the order of the service. wanted: what members of it have to be."""
        asked = {name: value for name, value in wanted.items() if value is not None}
        found = self._pages(f"{self.url}/jobs?{urlencode({'limit': min(limit, PAGE), **asked})}", "jobs")
        # once more, for a service that knows no filters
        kept = (job for job in found if all(job.get(name, "") == value for name, value in asked.items()))
        return islice(kept, limit)

    def listed(self, status: Json) -> Address:
        """Where the job is that a list shows in this status."""
        return self._called(status.get("jobID") or status.get("id"))

    def status(self, job: Address) -> Json:
        """The status of a job."""
        return self._document(job.url)

    def look(self, job: Address, within: float | None = None) -> tuple[Json, float]:
        """The status of a job, and for how many seconds the service wants not to be asked again. within: of `send`."""
        reply = self.send("GET", job.url, {"Accept": "application/json"}, within=within).checked()
        status = reply.object()
        if not isinstance(status.get("status"), str):
            raise ServiceError(f"{job.url}: expected the status of a job, found a document without")
        return status, min(reply.rest or 0.0, LONGEST_REST)

    def results(self, job: Address) -> Outputs:
        """The outputs of a successful job."""
        reply = self._asked("GET", self._link(job, "results") or below(job.url, "results"), {"Accept": ACCEPT})
        return outputs.read(reply.body(CONTENT), reply.media_type, reply.url)

    def deploy(self, package: bytes, media_type: str, w: str | None) -> str:
        """Deploy a package: the id of its process. w: names the entry of a document that has several."""
        url = f"{self.url}/processes" + (f"?{urlencode({'w': w})}" if w else "")
        reply = self._asked("POST", url, {"Content-Type": media_type}, package)
        return str(reply.object().get("id"))

    def undeploy(self, process_id: str) -> None:
        """Take a deployed process away."""
        self._asked("DELETE", f"{self.url}/processes/{segment(process_id, 'process')}", {}).body()

    def retry(self, job: Address) -> Address:
        """Repeat a job that has ended, without the steps that it had finished: the new job."""
        reply = self._asked("POST", below(job.url, "retry"), {})
        status = parsed(reply.body())
        new = self._named(reply, status if isinstance(status, dict) else {})
        if new is None:
            raise ServiceError(f"{reply.url}: answered {reply.status}, but names no job")
        return new

    def pin(self, job: Address, pinned: bool) -> Json:
        """Keep a job from expiring, or let it: its status."""
        method, url = "PUT" if pinned else "DELETE", below(job.url, "pin")
        return self._asked(method, url, {"Accept": "application/json"}).object()

    def step_log(self, job: Address, step: str) -> Iterator[bytes]:
        """What one step of a job has printed."""
        links = filter(is_log, links_of(self.status(job)))
        logs = {last_segment(str(link["href"])).removesuffix(".log"): link for link in links}
        if step not in logs:
            known = f"there are {', '.join(sorted(logs))}" if logs else "it has no steps"
            raise ServiceError(f"{job.job_id}: no step {step!r} has a log; {known}")
        return self._asked("GET", joined(job.url, str(logs[step]["href"])), {"Accept": "text/plain"}).chunks

    def log(self, job: Address, start: int = 0) -> bytes:
        """What the job has printed, from byte `start` on."""
        url = self._link(job, "log") or below(job.url, "logs")
        offset = f"{'&' if '?' in url else '?'}offset={start}" if start else ""
        reply = self.send("GET", url + offset, {"Accept": "text/plain"})
        content = reply.body(CONTENT)
        if reply.status >= 400 or not reply.media_type.startswith("text/plain"):
            raise ServiceError(f"{job.job_id}: no log is shown by this service")
        return content if "next-offset" in reply.headers else content[start:]

    def dismiss(self, job: Address) -> Json:
        """Stop a job: its status, which may still be running. Raises ServiceError for one that has ended."""
        while True:  # every report of progress changes the ETag
            status, etag = self._status_and_etag(job)
            if is_over(status):
                raise ServiceError(f"{job.job_id}: the job has ended ({status.get('status')}); `remove` deletes it")
            answer = self._delete(job, etag)
            if answer is not None:
                return answer if "status" in answer else self._left_of(job)

    def remove(self, job: Address) -> None:
        """Delete a job that has ended. Raises ServiceError for one that has not."""
        status, etag = self._status_and_etag(job)
        if not is_over(status):
            raise ServiceError(f"{job.job_id}: the job is {status.get('status')}; `dismiss` stops it")
        if self._delete(job, etag) is None:
            raise ServiceError(f"{job.job_id}: the job has changed meanwhile; look at it again")

    def fetch(self, url: str) -> Reply:
        """What lies behind a link."""
        return self._asked("GET", url, {})

    def _delete(self, job: Address, etag: str | None) -> Json | None:
        """What the service says of the job it deleted as it was, or None: DELETE dismisses, and it removes."""
        reply = self.send("DELETE", job.url, {"Accept": "application/json"} | ({"If-Match": etag} if etag else {}))
        if reply.status == 412:
            reply.body()
            return None
        said = parsed(reply.checked().body())
        return said if isinstance(said, dict) else {}

    def _left_of(self, job: Address) -> Json:
        """The status of a job that was dismissed, which some services forget at once."""
        try:
            return self.status(job)
        except ServiceError as error:
            if error.status not in (404, 410):
                raise
            return {"status": "dismissed"}

    def _status_and_etag(self, job: Address) -> tuple[Json, str | None]:
        reply = self._asked("GET", job.url, {"Accept": "application/json"})
        return reply.object(), reply.headers.get("etag")

    def _named(self, reply: Reply, status: Json) -> Address | None:
        """The job that an answer names: by Location, else by the id in its body."""
        location = reply.headers.get("location")
        url = joined(reply.url, location) if location else None
        job_id = status.get("jobID") or (status.get("id") if "status" in status else None)
        if url and self._is_ours(url):
            return Address(url, str(job_id or last_segment(url)))
        if url or (job_id and reply.status in (201, 202)):
            return self._called(job_id or last_segment(url or ""))
        return None

    def _called(self, job_id: object) -> Address:
        """The job that the service calls so."""
        return Address(f"{self.url}/jobs/{quote(str(job_id), safe='', errors='replace')}", str(job_id))

    def _path(self, path: str, link: str | None) -> str:
        """Where a link leads, if that is to this service; a path of the standard, where its links lead astray."""
        return link if link and self._is_ours(link) else f"{self.url}{path}"

    def _is_ours(self, url: str) -> bool:
        try:
            return origin(url) == origin(self.url)
        except ServiceError:
            return False

    def _link(self, job: Address, relation: str) -> str | None:
        """Where the status of a job says that its results or its log are; never a page for people, or elsewhere."""
        link = link_to(self.status(job), relation, job.url)
        return link if link and self._is_ours(link) else None

    def _pages(self, url: str | None, member: str) -> Iterator[Json]:
        """What a list has on its pages, which end with an empty one, or one that was there before."""
        seen: set[str] = set()
        while url and url not in seen:
            if len(seen) == PAGES:
                raise ServiceError(f"{self.url}: the list of {member} goes on after {PAGES} pages; ask for fewer")
            seen.add(url)
            page = self._document(url)
            listed = page.get(member)
            if not isinstance(listed, list):
                raise ServiceError(f"{url}: expected a list of {member}; is it an OGC API - Processes server?")
            yield from (item for item in listed if isinstance(item, dict))
            url = self._after(url, link_to(page, "next", url)) if listed else None

    def _after(self, url: str, link: str | None) -> str | None:
        """The page after one; where links lead to another host, as behind a proxy, their query is asked for here."""
        if link is None or self._is_ours(link):
            return link
        try:
            query = urlsplit(link).query
        except ValueError:
            query = ""
        return urlsplit(url)._replace(query=query).geturl() if query else None

    def _document(self, url: str) -> Json:
        return self._asked("GET", url, {"Accept": "application/json"}).object()

    def _asked(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Reply:
        return self.send(method, url, {"Accept": ACCEPT, **headers}, body).checked()
