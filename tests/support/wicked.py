"""A server that means harm to whoever asks it: what it does is the first part of the path."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DESCRIPTION = {"id": "p", "version": "1", "inputs": {}, "outputs": {}}
ESCAPES = "evil \x1b]0;owned\x07\x1b[2J\nsecond line"
NUMBERS = itertools.count()


class Wicked(BaseHTTPRequestHandler):
    """One method for each kind of harm, which gives the answer of any request."""

    over: threading.Event
    asked: list[str]

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(self.path)
        kind, _, self.rest = self.path.lstrip("/").partition("/")
        with suppress(OSError):  # whoever asked has gone
            getattr(self, kind)()

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass

    def say(self, document: Any, status: int = 200, **headers: str) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.begin(status, **{"Content_Length": str(len(body)), **headers})
        self.wfile.write(body)

    def begin(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def digits(self) -> None:
        self.say({"title": "busy"}, 503, Retry_After="9" * 5000)

    def future(self) -> None:
        self.say({"title": "busy"}, 503, Retry_After="Fri, 31 Dec 99999 23:59:59 GMT")

    def astray(self) -> None:
        self.say({}, 302, Location="http://[bad")

    def local(self) -> None:
        self.say({}, 302, Location="file:///etc/passwd")

    def circle(self) -> None:
        self.say({}, 302, Location=f"/circle/{next(NUMBERS)}")

    def swamp(self) -> None:
        """A redirect with a body that never ends."""
        self.begin(302, Location="/lists/processes")
        self.drip()

    def flood(self) -> None:
        """A server that is busy once, with a body that never ends."""
        if len(self.asked) > 1:
            self.lists()
            return
        self.begin(503, Retry_After="0")
        self.drip()

    def lists(self) -> None:
        jobs = [{"jobID": "a", "status": "successful", "created": "0001-01-01T00:00:00+23:59"}, {"jobID": ".."}, {}]
        self.say({"processes": [{"id": "p"}], "jobs": jobs})

    def on(self) -> None:
        """Lists that always go on."""
        self.say({"processes": [{"id": "p"}], "jobs": [{"jobID": "a"}], "links": self.next()})

    def empty(self) -> None:
        self.say({"processes": [], "jobs": [], "links": self.next()})

    def next(self) -> list[dict[str, str]]:
        path = self.path.partition("?")[0]
        return [{"rel": "next", "href": f"http://{self.headers['Host']}{path}?n={next(NUMBERS)}"}]

    def elsewhere(self) -> None:
        """A list that goes on at another address, as one behind a proxy does."""
        more = [] if "page=2" in self.path else [{"rel": "next", "href": "http://internal.invalid/processes?page=2"}]
        self.say({"processes": [{"id": f"p{len(more)}"}], "links": more})

    def escapes(self) -> None:
        self.say({"title": "x", "detail": ESCAPES}, 400)

    def odd(self) -> None:
        """A job in a state that no standard has, for some looks."""
        states = ("on-hold", "On Hold", "successful")
        looks = sum("/jobs/" in path for path in self.asked)
        self.job({"jobID": "j", "status": states[min(looks, 2)]})

    def gone(self) -> None:
        self.job({"jobID": "j", "status": "dismissed", "message": "dismissed"})

    def deaf(self) -> None:
        """Looks at a job that get no answer."""
        if self.rest.startswith("jobs/"):
            self.over.wait()
        else:
            self.job({"jobID": "j", "status": "running"})

    def slow(self) -> None:
        """Looks at a job whose answers come in drops."""
        if self.rest.startswith("jobs/"):
            self.begin()
            self.drip()
        else:
            self.job({"jobID": "j", "status": "running"})

    def drip(self) -> None:
        while not self.over.wait(0.02):
            self.wfile.write(b" ")

    def job(self, status: dict[str, str]) -> None:
        if self.rest.startswith("jobs/"):
            self.say(status)
        elif self.command == "POST":
            self.say({"jobID": "j", "status": "running"}, 201)
        else:
            self.say(DESCRIPTION)

    def bomb(self) -> None:
        self.say(gzip.compress(b" " * (80 << 20), 1), Content_Encoding="gzip")

    def short(self) -> None:
        self.say(b"x" * 10, Content_Length="1000")


@contextmanager
def serving() -> Iterator[Any]:
    """Such a server: with url, and asked (paths)."""
    quirks: dict[str, Any] = {"over": threading.Event(), "asked": []}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Wicked,), quirks)) as server:
        state: Any = server
        state.url, state.asked = f"http://127.0.0.1:{server.server_port}", quirks["asked"]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            quirks["over"].set()
            server.shutdown()
            thread.join()
