"""A network in which nothing leads out, for tests that ask for addresses of others."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1


@contextmanager
def alone(*addresses: str) -> Iterator[bool]:
    """A network with a loopback interface and no other, for this thread and what it starts; False: only root has one.

    addresses: of the internet, which are this host there.
    """
    with open("/proc/thread-self/ns/net") as before:
        if os.geteuid() or LIBC.unshare(CLONE_NEWNET):
            yield False
            return
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
                for number, address in enumerate(addresses):
                    place = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
                    fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16s16s", b"lo:%d" % number, place))
            yield True
        finally:
            assert LIBC.setns(before.fileno(), CLONE_NEWNET) == 0
