"""What a supervisor and its child speak through: orders to the child by a socket, its messages by a pipe."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Ends:
    """What one of the two has of it. messages: a descriptor, to read from or to write to."""

    orders: socket.socket
    messages: int

    @property
    def descriptors(self) -> tuple[int, int]:
        """What they have open."""
        return self.orders.fileno(), self.messages

    def close(self) -> None:
        """Leave them to the other process."""
        self.orders.close()
        os.close(self.messages)


def both() -> tuple[Ends, Ends]:
    """The supervisor's, and those of its child, which is to be forked."""
    reading, writing = os.pipe()
    orders, obeying = socket.socketpair()
    return Ends(orders, reading), Ends(obeying, writing)
