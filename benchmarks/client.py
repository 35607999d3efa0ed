"""Those who ask: one client on a connection that is kept alive, or several at once in one thread, at little cost."""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from typing import Any
from urllib.parse import urlsplit

from examples.backstage import expect
from geomill.app.cli.web import KEEPALIVE

ASYNC = {"Prefer": "respond-async"}
JSON = {"Content-Type": "application/json"}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """An answer to a request."""

    status: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Client:
    """One connection that is kept alive."""

    def __init__(self, url: str) -> None:
        """url: of the landing page."""
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=120)
        self._used = 0.0

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        """One request; a server lets go of a connection that is idle for so long."""
        if time.monotonic() - self._used > KEEPALIVE - 0.5:
            self.close()
            self._connection.connect()
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        reply = Reply(answer.status, answer.headers, answer.read())
        self._used = time.monotonic()
        return reply

    def expect(self, code: int, method: str, path: str, *more: Any) -> Reply:
        """One request that has to be answered with this status."""
        reply = self.call(method, path, *more)
        expect(reply.status == code, f"{method} {path} answered {reply.status}: {reply.body[:300]!r}")
        return reply

    def execute(self, process: str, inputs: dict[str, Any]) -> str:
        """The id of a new asynchronous job."""
        reply = self.expect(201, "POST", f"/processes/{process}/execution", body(inputs), {**ASYNC, **JSON})
        return str(reply.json()["jobID"])

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


@dataclass
class Answers:
    """What a crowd got. times: milliseconds of each request; seconds: of all of them."""

    times: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.times) / self.seconds

    def jobs(self) -> list[str]:
        """The ids in status documents."""
        return [str(json.loads(each)["jobID"]) for each in self.bodies]


def body(inputs: dict[str, Any]) -> bytes:
    """The body of an execution."""
    return json.dumps({"inputs": inputs}).encode()


def get(path: str) -> bytes:
    """A request for a resource, as a crowd sends it."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n".encode()


def post(process: str, inputs: dict[str, Any], *, wait: bool = False) -> bytes:
    """An execution, as a crowd sends it. wait: a synchronous one."""
    content = body(inputs)
    fields = ["Host: localhost", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    fields += [] if wait else ["Prefer: respond-async"]
    return "\r\n".join([f"POST /processes/{process}/execution HTTP/1.1", *fields, "", ""]).encode() + content


def crowd(url: str, requests: Iterable[bytes], clients: int = 1, code: int = 200) -> Answers:
    """Let some clients send these requests, each the next one as soon as it has its answer.

    code: that every answer has to have. Raises Failed for another one. Answers need a Content-Length.
    """
    place, waiting, answers = urlsplit(url), iter(requests), Answers()
    with selectors.DefaultSelector() as selector:
        begun = time.perf_counter()
        lines = [_Line(socket.create_connection((place.hostname, place.port), 120)) for _ in range(clients)]
        active = {line for line in lines if line.send(waiting)}
        for line in active:
            selector.register(line.connection, selectors.EVENT_READ, line)
        while active:
            for key, _ in selector.select():
                line = key.data
                if not line.is_answered(code, answers) or line.send(waiting):
                    continue
                selector.unregister(line.connection)
                active.remove(line)
        answers.seconds = time.perf_counter() - begun
        for line in lines:
            line.connection.close()
    return answers


class _Line:
    """One connection of a crowd."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection, self.read = connection, b""
        self.sent = 0

    def send(self, requests: Iterator[bytes]) -> bool:
        """Send the next request, if there is one."""
        request = next(requests, None)
        if request is None:
            return False
        self.read, self.sent = b"", time.perf_counter_ns()
        self.connection.sendall(request)
        return True

    def is_answered(self, code: int, answers: Answers) -> bool:
        """Read a piece; whether the answer is complete, and noted then."""
        piece = self.connection.recv(262_144)
        self.read += piece
        head, end, content = self.read.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if piece and (not end or (length and len(content) < int(length[1]))):
            return False
        answers.times.append((time.perf_counter_ns() - self.sent) / 1e6)
        answers.bodies.append(content)
        expect(length is not None and int(head[9:12]) == code, f"a request was answered with {self.read[:500]!r}")
        return True
