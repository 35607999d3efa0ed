"""A web worker: it cuts nothing off at its end, lets nobody wait for another, and refuses what is no request."""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from geomill.app.cli.handed import Named
from geomill.app.engine import departure, isolation, reaper, threads
from geomill.jobstore import files

MOST = 4096  # connections that may wait to be accepted
LINGER = 2.0  # seconds for a client to close a connection that was answered, or to send more
LONGEST = 30.0  # seconds, however much it sends
PIECE = 65536  # bytes
LARGE = 1_000_000  # bytes: a body like this is no part of what a worker goes on with


class Pool(ThreadPoolExecutor):
    """The threads that answer requests: as many as there are to be had, for what waits; one at least."""

    def begin(self) -> None:
        """Have one thread. Raises NoThreads."""
        threads.insist(super()._adjust_thread_count)

    def _adjust_thread_count(self) -> None:
        """Called by submit, which has put the work into the queue; without a further thread it waits there."""
        with suppress(RuntimeError):
            super()._adjust_thread_count()


class Worker(ThreadWorker):  # type: ignore[misc]  # without types
    """gunicorn's threaded worker.

    relieves: workers of the server's earlier life, which end as soon as a new one is ready.
    """

    relieves: tuple[Named, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        """Called by gunicorn."""
        super().__init__(*args, **options)
        self.lingering: dict[Any, tuple[float, float]] = {}  # connections: until when they may be silent, and at all

    def init_process(self) -> None:
        """Called by gunicorn, before the application is made."""
        os.umask(files.UMASK)
        isolation.give_back(LARGE)
        super().init_process()

    def get_thread_pool(self) -> Pool:
        """Called by gunicorn, before anything is accepted."""
        pool = Pool(self.cfg.threads)
        pool.begin()
        return pool

    def init_signals(self) -> None:
        """Called by gunicorn. Ctrl-C reaches every process of a terminal; the master decides what comes of it."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_exit(self, number: int, frame: Any) -> None:
        """Called at SIGTERM: who waits for a job gets half of the time; a 201 is an answer, too."""
        departure.begin(self.cfg.graceful_timeout / 2)
        super().handle_exit(number, frame)

    def run(self) -> None:
        """Called by gunicorn when the application is there."""
        relieve(self.relieves)
        super().run()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called by gunicorn. At the end nobody is left in the queue of a socket that is open and not served."""
        if not enabled and not self.alive:
            self._accept_who_waits()
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Called by gunicorn in the thread that serves all connections, when one was answered.

        One that ends is closed for writing, and read until the client has closed it too: else the kernel would cut off
        the answer (RFC 9112, 9.6). gunicorn waits here for that, and lets everybody wait.
        """
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
            now = time.monotonic()
            self.lingering[conn] = now + LINGER, now + LONGEST
        except (OSError, KeyError, ValueError):
            self._close(conn)

    def _drain(self, conn: Any, _: Any) -> None:
        """Read what a client still sends, to no purpose but to see that it has closed."""
        try:
            more = conn.sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if more:
            self.lingering[conn] = time.monotonic() + LINGER, self.lingering[conn][1]
        else:
            self._leave(conn)

    def murder_pending(self) -> None:
        """Called by gunicorn, every second or more often."""
        super().murder_pending()
        now = time.monotonic()
        for conn in [conn for conn, ends in self.lingering.items() if min(ends) < now]:
            self._leave(conn)

    def _leave(self, conn: Any) -> None:
        del self.lingering[conn]
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def _accept_who_waits(self) -> None:
        for listener in self.sockets:
            listener.setblocking(False)
            for _ in range(MOST):
                if not select.select([listener], [], [], 0)[0]:
                    break
                self.accept(listener)


def refuse(client: socket.socket, status: int, reason: str, detail: str) -> None:
    """Called by gunicorn for what never comes to be a request: answer with a problem document, not with a page."""
    if status == HTTPStatus.NOT_IMPLEMENTED:  # it means a coding of the body that nobody here takes
        status = HTTPStatus.BAD_REQUEST
    phrase = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": phrase, "status": status, "detail": detail or phrase}  # RFC 9457, 4.2.1
    body = json.dumps(problem).encode()
    fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-Content-Type-Options: nosniff"
    util.write_nonblock(client, f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\n{fields}\r\n\r\n".encode() + body)


util.write_error = refuse  # it asks nobody else


def relieve(workers: tuple[Named, ...]) -> None:
    """Tell workers to end; their requests end first."""
    for each in workers:
        pidfd = reaper.open_process(*each)
        if pidfd is not None:
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
            os.close(pidfd)
