"""The dispatcher's socket: a JSON line is a message, and so is its answer, which may come later."""

from __future__ import annotations

import errno
import json
import os
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

BACKLOG = 512
BREATH = 0.01  # seconds that a client who cannot be heard yet is left alone
MOST = 65536  # bytes of what is read at once; a message has about a hundred

Json = dict[str, Any]
Operation = Callable[["Client", Json], Json | None]
Client = socket.socket


class Listener:
    """Calls an operation for each message. Clients are not trusted to speak sense, to stay, or to read answers."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, operations: Mapping[str, Operation]) -> None:
        """Listen at `path` from now on. operations: by the member `op` of messages; None is no answer yet."""
        self.path, self.selector, self.operations = path, selector, operations
        self.waiting: dict[str, list[Client]] = {}
        self.begun: dict[Client, bytes] = {}  # messages of which the end is still to come
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        building = path.with_suffix(f".{os.getpid()}")
        self.socket.bind(str(building))
        self.socket.listen(BACKLOG)
        self.socket.setblocking(False)
        self.identity = os.stat(building)
        os.replace(building, path)
        selector.register(self.socket, selectors.EVENT_READ, self._accept)

    def can_be_found(self) -> bool:
        """Whether the path still leads here."""
        try:
            return os.path.samestat(self.identity, os.stat(self.path))
        except OSError:
            return False

    def close(self) -> None:
        """Leave the path to the next one."""
        if self.can_be_found():
            with suppress(OSError):
                self.path.unlink()

    def keep_waiting(self, job_id: str, client: Client) -> None:
        """Answer this client when there is something to tell of the job."""
        self.waiting.setdefault(job_id, []).append(client)

    def tell(self, job_id: str, answer: Json) -> None:
        """Answer those who wait for this job to begin."""
        for client in self.waiting.pop(job_id, []):
            self._send(client, answer)

    def _accept(self) -> None:
        try:
            client, _ = self.socket.accept()
        except OSError as error:  # it has gone again, or there are no descriptors left, and there it waits
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(BREATH)
            return
        client.setblocking(False)
        self.selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: Client) -> None:
        """A client that closed, or sent what is no message, is forgotten."""
        try:
            content = client.recv(MOST)
            *lines, rest = (self.begun.pop(client, b"") + content).split(b"\n")
            if rest:
                self.begun[client] = rest
            for line in lines:
                message = json.loads(line)
                answer = self.operations[message["op"]](client, message)
                if answer is not None:
                    self._send(client, answer)
        except BlockingIOError:
            return
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            content = b""
        if not content or len(rest) > MOST:
            self._forget(client)

    def _send(self, client: Client, answer: Json) -> None:
        try:
            client.send(json.dumps(answer).encode() + b"\n")
        except OSError:
            self._forget(client)

    def _forget(self, client: Client) -> None:
        with suppress(KeyError, ValueError):
            self.selector.unregister(client)
        self.begun.pop(client, None)
        for waiting in self.waiting.values():
            if client in waiting:
                waiting.remove(client)
        client.close()
