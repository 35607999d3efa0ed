"""The forward proxy of one job: the rules of the guard for whatever the job opens by itself. RFC 9110, 7.6 and 9.3.6.

http by requests in absolute form, anything else by CONNECT. A connection serves one request, so that what follows it
cannot be taken for another. The job resolves nothing and connects to nothing else.
"""

from __future__ import annotations

import hmac
import re
import socket
import struct
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from geomill.app.egress import connecting, heads
from geomill.app.egress.connecting import REFUSED, UNREACHABLE
from geomill.app.egress.relay import IDLE, Direction, TooMuch, Traffic, relay
from geomill.app.egress.upstream import Upstream
from geomill.app.egress.way_out import USER
from geomill.app.guard import PORTS, Guard, Refused, Target, Unreachable, shown

CONNECTIONS = 64  # at a time; others wait
PATIENCE = 30.0  # seconds for a head of the job, and for a connection
LONGEST_SAID = 100  # lines in the log of a job
REST = 60.0  # seconds without a connection until a proxy leaves
REASONS = {400: "Bad Request", 403: "Forbidden", 407: "Proxy Authentication Required", 411: "Length Required",
           502: "Bad Gateway"}  # fmt: skip


class Answer(Exception):
    """What the proxy itself has to answer. error: as in Proxy-Status."""

    def __init__(self, code: int, text: str, error: str = REFUSED) -> None:
        super().__init__(text)
        self.code, self.error = code, error


@dataclass
class Proxy:
    """The proxy of one job.

    token: what the job has to show, "" if nobody else can connect; say: takes a line for its log.
    """

    guard: Guard
    traffic: Traffic
    token: str
    say: Callable[[str], object]
    said: int = 0
    _slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(CONNECTIONS))
    _links: set[socket.socket] = field(default_factory=set)

    def serve(self, listener: socket.socket, rest: float = REST) -> None:
        """Serve until nobody is connected, and nobody has been for `rest` seconds."""
        listener.settimeout(rest)
        while True:
            self._slots.acquire()
            try:
                link, _ = listener.accept()
                self._links.add(link)
                threading.Thread(target=self._attend, args=(link,), daemon=True).start()
                continue
            except RuntimeError:  # no thread is left, for a while
                self._slots.release()
                self._links.discard(link)
                link.close()
            except OSError as error:
                self._slots.release()
                if not isinstance(error, TimeoutError):  # no descriptor is left, for a while
                    time.sleep(0.1)
                elif not self._links:
                    return

    def _attend(self, link: socket.socket) -> None:
        """One connection, from its first byte to its last."""
        try:
            with link:
                try:
                    self._request(link)
                except Answer as answer:
                    self._tell(answer)
                    _answer(link, answer)
                except TooMuch as error:
                    self._tell(error)
                    _break_off(link)
                except BaseException:
                    _break_off(link)
                    raise
        except (EOFError, OSError):
            pass
        finally:
            self._links.discard(link)
            self._slots.release()

    def _tell(self, what: Exception) -> None:
        self.said += 1
        if self.said <= LONGEST_SAID:
            self.say(f"network: {what}")

    def _request(self, link: socket.socket) -> None:
        """Take a request and do as it says. Raises Answer, EOFError, OSError, TooMuch."""
        try:
            head, behind = heads.receive(link, time.monotonic() + PATIENCE)
            method, asked, _ = head.request()
            length = head.length()
            if head.all("transfer-encoding"):
                raise Answer(411, "A request through the proxy has to state its Content-Length.")
        except heads.Malformed as error:
            raise Answer(400, f"The request is not forwarded: {error}.") from error
        self._authenticate(head)
        try:
            self.traffic.count(0)
        except TooMuch as error:
            raise Answer(403, str(error)) from error
        try:
            if method == "CONNECT":
                self._connect(link, asked, behind)
            else:
                self._forward(link, head, length or 0, behind)
        except Refused as error:
            raise Answer(403, str(error)) from error
        except Unreachable as error:
            raise Answer(502, str(error), UNREACHABLE) from error

    def _authenticate(self, head: heads.Head) -> None:
        """Raises Answer for somebody who is not the job."""
        expected = f"Basic {b64encode(f'{USER}:{self.token}'.encode()).decode()}"
        given = "".join(head.all("proxy-authorization"))
        if self.token and not hmac.compare_digest(given.encode("latin-1"), expected.encode()):
            raise Answer(407, "The proxy of a job is for that job alone.")

    def _connect(self, link: socket.socket, authority: str, behind: bytes) -> None:
        """A tunnel to host:port. Raises Refused, Unreachable, OSError, TooMuch."""
        if not re.fullmatch(r"[^/?#]+:\d{1,5}", authority):
            raise Refused("A connection is refused: where it is to lead is not of the form host:port.")
        target = self.guard.target(f"https://{authority}/")
        deadline = time.monotonic() + PATIENCE
        origin, said = connecting.connect(target, self.guard.way(target), deadline, tunnelled=True)
        with origin:
            link.settimeout(PATIENCE)
            link.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n" + said)
            self.traffic.count(len(behind) + len(said))
            relay([Direction(link, origin, buffer=behind), Direction(origin, link)], self.traffic)

    def _forward(self, link: socket.socket, head: heads.Head, length: int, behind: bytes) -> None:
        """One request in absolute form, and its response. Raises Answer, Refused, Unreachable, OSError, TooMuch."""
        method, href, minor = head.request()
        if href.startswith("/") or href == "*":
            raise Answer(400, "The request is not forwarded: this is a proxy, and no server.")
        target = self.guard.target(href)
        if target.scheme == "https":
            raise Answer(400, f"{shown(href)} is not forwarded: https goes by CONNECT.")
        way, path = self.guard.way(target), target.path
        fields = [("Host", _host(target)), *head.end_to_end(), ("Connection", "close")]
        if head.all("content-length"):
            fields.append(("Content-Length", str(length)))
        if isinstance(way, Upstream):
            path, fields = f"http://{target.authority}{path}", [*fields, *way.headers().items()]
        origin, _ = connecting.connect(target, way, time.monotonic() + PATIENCE, tunnelled=False)
        with origin:
            origin.settimeout(IDLE)
            origin.sendall(heads.written(f"{method} {path} HTTP/1.{minor}", fields))
            self._pass_on(link, origin, length, behind)
            self._respond(link, origin, method == "HEAD")

    def _respond(self, link: socket.socket, origin: socket.socket, headless: bool) -> None:
        """Pass a response on. headless: it has no body, whatever it says. Raises Unreachable, OSError, TooMuch."""
        try:
            deadline = time.monotonic() + IDLE
            head, behind = heads.receive(origin, deadline)
            while 100 <= head.status() < 200:
                head, behind = heads.receive(origin, deadline, behind)
            chunked, length = head.chunked(), head.length()
        except TimeoutError as error:
            raise Unreachable("The answer did not come in time.") from error
        except (EOFError, heads.Malformed) as error:
            raise Unreachable(f"The answer is no HTTP: {error or 'it ended before it began'}.") from error
        fields = [*head.end_to_end(), ("Connection", "close")]
        if chunked:
            length = None
            fields.append(("Transfer-Encoding", "chunked"))
        elif length is not None:
            fields.append(("Content-Length", str(length)))
        link.settimeout(PATIENCE)
        link.sendall(heads.written(head.first, fields))
        if not headless and head.status() not in (204, 304):
            self._pass_on(origin, link, length, behind)

    def _pass_on(self, source: socket.socket, sink: socket.socket, length: int | None, behind: bytes) -> None:
        """Pass a body on. length: bytes, None: to the end; behind: what was read of it, and perhaps more."""
        first = behind[:length]
        self.traffic.count(len(first))
        direction = Direction(source, sink, None if length is None else length - len(first), first)
        relay([] if direction.done else [direction], self.traffic)


def _host(target: Target) -> str:
    """What the field Host says of a target."""
    return target.authority.removesuffix(f":{target.port}") if target.port == PORTS[target.scheme] else target.authority


def _break_off(link: socket.socket) -> None:
    """Let the connection be reset when it is closed: a body that ends with it must not look complete."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _answer(link: socket.socket, answer: Answer) -> None:
    """Send it, and let the other side read it: closing with something unread would take it away."""
    body = f"{answer}\n".encode(errors="replace")
    fields = [
        connecting.status(answer.error, str(answer)),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    if answer.code == 407:
        fields.append(("Proxy-Authenticate", 'Basic realm="geomill"'))
    link.settimeout(2)
    link.sendall(heads.written(f"HTTP/1.1 {answer.code} {REASONS[answer.code]}", fields) + body)
    link.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        for _ in range(64):
            if not link.recv(heads.LONGEST):
                break
