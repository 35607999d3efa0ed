"""What a master leaves to itself, when it executes its command anew: it is read before anything else is loaded."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass

Named = tuple[int, int | None]  # pid and start time: a process beyond doubt
HANDED = "_GEOMILL_HANDED_OVER"  # a variable; not a setting


@dataclass(frozen=True)
class Handed:
    """What a master leaves to itself. listener: a descriptor; workers: those that still serve."""

    listener: int
    workers: tuple[Named, ...] = ()

    @classmethod
    def take(cls) -> Handed | None:
        """What was left to this process; None for one that begins."""
        text = os.environ.pop(HANDED, "")
        if not text:
            return None
        given = json.loads(text)
        return cls(given["listener"], tuple((pid, began) for pid, began in given["workers"]))

    def give(self) -> None:
        """Leave it to the program that this one is about to execute, or to start."""
        os.environ[HANDED] = json.dumps({"listener": self.listener, "workers": self.workers})

    def socket(self) -> socket.socket:
        """The socket that listens, of whatever family."""
        return socket.socket(fileno=self.listener)
