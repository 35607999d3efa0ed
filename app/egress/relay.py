"""Passes bytes on between sockets, until they end, fall silent or are too many."""

from __future__ import annotations

import mmap
import select
import socket
import struct
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

CHUNK = 2**18  # bytes
IDLE = 300.0  # seconds without a byte in any direction


class TooMuch(Exception):
    """The job has used up what it may send and receive."""


class Traffic:
    """Bytes that one job has sent and received, counted by all processes that were forked from this one, in turn."""

    def __init__(self, most: int) -> None:
        """most: bytes that are allowed."""
        self.most = most
        self._memory, self._lock = mmap.mmap(-1, 8), threading.Lock()

    def count(self, size: int) -> None:
        """Add some bytes. Raises TooMuch."""
        with self._lock:
            total = int(struct.unpack_from("q", self._memory)[0]) + size
            struct.pack_into("q", self._memory, 0, total)
        if total > self.most:
            raise TooMuch(f"the job has sent and received more than {self.most} bytes")


@dataclass
class Direction:
    """From one socket to another. left: bytes still to be read, None: until it ends; buffer: read and not yet sent."""

    source: socket.socket
    sink: socket.socket
    left: int | None = None
    buffer: bytes | memoryview = b""

    def read(self) -> int:
        """Take what is there; how much that is."""
        content = self.source.recv(CHUNK if self.left is None else min(CHUNK, self.left))
        self.buffer = content
        if not content:
            self.left = 0
        elif self.left is not None:
            self.left -= len(content)
        return len(content)

    def send(self) -> None:
        """Pass some of it on."""
        self.buffer = memoryview(self.buffer)[self.sink.send(self.buffer) :]

    @property
    def done(self) -> bool:
        """Whether all was passed on."""
        return self.left == 0 and not self.buffer


def relay(directions: Sequence[Direction], traffic: Traffic, idle: float = IDLE) -> None:
    """Pass on whatever comes, in all directions at once. idle: seconds. Raises OSError, TooMuch."""
    for direction in directions:
        direction.source.setblocking(False)
        direction.sink.setblocking(False)
    going = list(directions)
    while going:
        events: dict[int, int] = {}
        for each in going:
            link, event = (each.sink, select.POLLOUT) if each.buffer else (each.source, select.POLLIN)
            events[link.fileno()] = events.get(link.fileno(), 0) | event
        poll = select.poll()
        for descriptor, wanted in events.items():
            poll.register(descriptor, wanted)
        ready = {descriptor for descriptor, _ in poll.poll(idle * 1000)}
        if not ready:
            raise TimeoutError(f"nothing came for {idle:g} seconds")
        for each in list(going):
            with suppress(BlockingIOError):
                if each.buffer and each.sink.fileno() in ready:
                    each.send()
                elif not each.buffer and each.source.fileno() in ready:
                    traffic.count(each.read())
            if each.done:
                going.remove(each)
                if len(directions) > 1:
                    with suppress(OSError):  # the other side has gone altogether
                        each.sink.shutdown(socket.SHUT_WR)
