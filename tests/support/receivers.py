"""What takes callbacks: a web server on a loopback address that writes down what comes, and answers as it is told."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from support.waiting import until
from support.web import served


@dataclass(frozen=True)
class Heard:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """What a receiver knows repeats by."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """answers: statuses to give, by path, the last of them for ever; 200 where there is none. slow: seconds before."""

    url: str = ""
    answers: dict[str, list[int]] = field(default_factory=dict)
    location: str = ""
    slow: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    begun: int = 0

    def at(self, path: str) -> list[Heard]:
        """What came to a path, in order."""
        return [each for each in self.heard if each.path == path]

    def wait(self, path: str, count: int = 1, seconds: float = 60.0) -> list[Heard]:
        """The same, as soon as it is so much."""
        until(lambda: len(self.at(path)) >= count, seconds)
        return self.at(path)


@contextmanager
def receiving(port: int = 0, receiver: Receiver | None = None) -> Iterator[Receiver]:
    """A receiver that listens. port: 0 for a free one; receiver: one that has listened before."""
    receiver = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            receiver.begun += 1
            time.sleep(receiver.slow)
            answers = receiver.answers.get(self.path, [200])
            status = answers.pop(0) if len(answers) > 1 else answers[0]
            receiver.heard.append(Heard(self.path, headers, body))
            self.send_response(status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Called for each request."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # a slow answer need not be waited for

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Called where a client has gone."""

    with served(Server(("127.0.0.1", port), Handler)) as receiver.url:
        yield receiver


@contextmanager
def talking(said: bytes) -> Iterator[str]:
    """Somebody who says this to whatever he hears, and no more: the address."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            # all of it: else the other one may be told that nobody listens
            self.rfile.readline()
            self.rfile.read(int(http.client.parse_headers(self.rfile)["Content-Length"]))
            self.wfile.write(said)

    with served(ThreadingTCPServer(("127.0.0.1", 0), Handler)) as url:
        yield url
