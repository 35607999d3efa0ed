"""What a job child says to its supervisor: JSON lines through a pipe. It may be hostile; nothing it says is trusted."""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Sequence
from typing import Any

from geomill.app.exchange.strictjson import loads

LONGEST = 64 * 1024 * 1024  # bytes of one line; larger values were written to files
REPORT = b'{"progress"'  # how a message begins that makes an earlier one of its kind worthless
RESULTS = b'{"results"'  # how the message begins that is missed
AT_ONCE = 2 * 1024 * 1024  # bytes: more than a pipe holds, so that a child which never stops talking is not all we hear


class Channel:
    """The supervisor's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        """descriptor: the pipe's reading end."""
        self.descriptor = descriptor
        os.set_blocking(descriptor, False)
        self._buffer = bytearray()

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """The messages that are there, and whether more may come."""
        is_open, taken = True, 0
        while taken < AT_ONCE:
            try:
                content = os.read(self.descriptor, 1 << 16)
            except BlockingIOError:
                break
            if not content:
                is_open = False
                break
            self._buffer += content
            taken += len(content)
            if len(self._buffer) > LONGEST and b"\n" not in content:
                self._buffer.clear()
        *lines, rest = self._buffer.split(b"\n") if b"\n" in self._buffer else [self._buffer]
        self._buffer = bytearray(rest)
        return [message for line in _worth_reading(lines) if (message := _parse(line)) is not None], is_open


def say(descriptor: int, message: dict[str, Any]) -> None:
    """The child's side: send one message."""
    view = memoryview(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    while view:
        view = view[os.write(descriptor, view) :]


def heard(link: socket.socket, length: int) -> bytes:
    """One message of whoever has the other end of a socket; b"" when he has gone, with or without a word."""
    try:
        return link.recv(length)
    except ConnectionResetError:
        return b""


def _worth_reading(lines: Sequence[bytes | bytearray]) -> list[bytes | bytearray]:
    """All but progress that was overtaken: a child may report it faster than anybody can read."""
    reports = [number for number, line in enumerate(lines) if line.startswith(REPORT)]
    overtaken = set(reports[:-1])
    return [line for number, line in enumerate(lines) if number not in overtaken]


def _parse(line: bytes | bytearray) -> dict[str, Any] | None:
    try:
        message = loads(bytes(line), most=math.inf)  # LONGEST bounds it
    except ValueError as error:  # no JSON, or what the standard parser takes and nobody could send on: NaN, depth
        return {"results": f"what it gave cannot be passed on: it {error}"} if line.startswith(RESULTS) else None
    return message if isinstance(message, dict) else None
