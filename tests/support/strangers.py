"""Somebody else's service, as little of OGC API - Processes 1.0 as a server can get away with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.web import served

DESCRIPTION = {
    "id": "double",
    "version": "1",
    "inputs": {"number": {"schema": {"type": "number"}}, "name": {"schema": {"type": "string"}, "minOccurs": 0}},
    "outputs": {"twice": {"schema": {"type": "number"}}},
}


class Stranger(BaseHTTPRequestHandler):
    """Jobs end after a few looks at them. Class attributes are what differs between servers."""

    prefix = ""
    location = "absolute"  # relative, none
    body = True  # of the 201
    asynchronous = True
    etags = False
    ending = ("accepted", "running", "successful")  # one for each look
    description = DESCRIPTION
    results: object = {"twice": 4}
    results_type = "application/json"
    links: list = []  # of the landing page
    definition: dict = {}  # of the API
    rest: str | None = None  # for how long nobody is to look again
    name = "jobID"  # of the id of a job
    told: dict = {}  # more that a status says
    deletes = 200
    forgets = False  # what was dismissed
    breaks = 0  # executions that get no answer
    busy = 0  # looks at a job that are answered with 503
    silent = 0  # looks at a job that get no answer

    def setup(self):
        super().setup()
        self.seen = self.server.seen
        self.jobs = self.server.jobs

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.seen.append((self.command, self.path, dict(self.headers)))
        path = self.path.removeprefix(self.prefix)
        if path == "/" and self.links:
            self.answer(200, {"links": self.links})
        elif path == "/api" and self.definition:
            self.answer(200, self.definition)
        elif path == "/processes":
            summaries = [{"id": "double", "version": "1"}]
            self.answer(200, {"processes": summaries, "links": [{"rel": "next", "href": "processes?page=2"}]})
        elif path == "/processes?page=2":  # and the last page names itself as the next
            self.answer(200, {"processes": [{"id": "other"}], "links": [{"rel": "next", "href": "?page=2"}]})
        elif path == "/processes/double":
            self.answer(200, self.description)
        elif path.startswith("/jobs?"):
            self.answer(200, {"jobs": [self.status(job_id) for job_id in self.jobs]})
        elif path.startswith("/jobs/") and path.endswith("/results"):
            content = self.results if isinstance(self.results, bytes) else json.dumps(self.results).encode()
            self.send(200, content, {"Content-Type": self.results_type})
        elif path == "/file.tif":
            self.send(200, b"II*\0", {"Content-Type": "image/tiff"})
        elif path.removeprefix("/jobs/") in self.jobs:
            self.look(path.removeprefix("/jobs/"))
        else:
            self.answer(
                404, {"type": "http://www.opengis.net/def/x/1.0/no-such-thing", "detail": f"there is no {path}"}
            )

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.command, self.path, dict(self.headers), request))
        if not self.asynchronous:
            self.send(200, json.dumps(self.results).encode(), {"Content-Type": "application/json"})
            return
        self.server.executed.add(self.headers.get("Idempotency-Key"))
        self.jobs["j1"] = 0
        if self.server.breaks:
            self.server.breaks -= 1
            self.close_connection = True
            return
        where = {
            "absolute": f"http://{self.headers['Host']}{self.prefix}/jobs/j1",
            "relative": f"{self.prefix}/jobs/j1",
            "elsewhere": f"http://internal.example/{self.prefix}/jobs/j1",
        }.get(self.location)
        content = json.dumps(self.status("j1")).encode() if self.body else b""
        self.send(201, content, {"Location": where} if where else {})

    def do_DELETE(self):
        self.seen.append((self.command, self.path, dict(self.headers)))
        job_id = self.path.rsplit("/", 1)[1]
        expected = self.headers.get("If-Match")
        if self.etags and expected != f'"{self.jobs[job_id]}"':
            self.answer(412, {"title": "changed"})
        elif self.jobs[job_id] < len(self.ending) - 1:
            self.server.ended[job_id] = "dismissed"
            status = self.status(job_id)
            if self.forgets:
                del self.jobs[job_id]
            self.deleted(status)
        else:
            del self.jobs[job_id]
            self.deleted({})

    def deleted(self, document):
        if self.deletes == 204:
            self.send(204, b"", {})
        else:
            self.answer(200, document)

    def look(self, job_id):
        self.jobs[job_id] = min(self.jobs[job_id] + 1, len(self.ending) - 1)
        tag = self.jobs[job_id]
        if self.etags and self.server.jump:
            self.server.jump -= 1
            tag -= 1
        if self.server.busy:
            self.server.busy -= 1
            self.answer(503, {"title": "busy"})
            return
        if self.server.silent:
            self.server.silent -= 1
            return
        headers = {"ETag": f'"{tag}"'} if self.etags else {}
        self.answer(200, self.status(job_id), headers | ({"Retry-After": self.rest} if self.rest else {}))

    def status(self, job_id):
        status = self.server.ended.get(job_id) or self.ending[self.jobs[job_id]]
        told = {self.name: job_id, "status": status, "message": f"it is \x1b[31m{status}"}
        return told | self.told | ({"links": self.server.status_links} if self.server.status_links else {})

    def answer(self, code, document, headers=None):
        self.send(code, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, code, content, headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(**quirks: Any) -> Iterator[Any]:
    """Such a service: the server, with url, seen (requests), jobs (looks at each), and what is yet to go wrong."""
    state: Any = ThreadingHTTPServer(("127.0.0.1", 0), type("Quirky", (Stranger,), quirks))
    with served(state) as url:
        state.seen, state.jobs, state.ended, state.jump = [], {}, {}, 0
        state.executed, state.status_links = set(), []
        state.breaks, state.busy = quirks.get("breaks", 0), quirks.get("busy", 0)
        state.silent = quirks.get("silent", 0)
        state.url = f"{url}{quirks.get('prefix', '')}"
        yield state
