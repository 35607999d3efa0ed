"""Keys of a home that sign what this server will have to know again: in every worker, and after a restart."""

from __future__ import annotations

import base64
import errno
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from geomill.jobstore import files

BYTES = 32


class Key:
    """One key, in a file of its own."""

    def __init__(self, path: Path) -> None:
        """path: of the file, which need not be there."""
        self.path = path
        self._kept = b""

    def read(self) -> bytes:
        """The key, made by whoever needs it first; whole when it is there."""
        if not self._kept:
            if not self.path.exists():
                self._make()
            key = self.path.read_bytes()
            if len(key) != BYTES:
                text = f"is no key of {BYTES} bytes; remove it, and what it signed counts no more"
                raise OSError(errno.EIO, text, str(self.path))
            self._kept = key
        return self._kept

    def signed(self, purpose: str, content: str) -> bytes:
        """32 bytes that nobody makes without the key. purpose: a word; what was signed for one is nothing else."""
        return hmac.new(self.read(), f"{purpose} {content}".encode(), hashlib.sha256).digest()

    def signature(self, purpose: str, content: str) -> str:
        """The same as 43 letters, for addresses and cookies."""
        return base64.urlsafe_b64encode(self.signed(purpose, content)).decode().rstrip("=")

    def _make(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = self.path.with_name(f".{self.path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            files.create(made, secrets.token_bytes(BYTES), durable=True)
            with suppress(FileExistsError):  # somebody was faster
                os.link(made, self.path)
        finally:
            made.unlink(missing_ok=True)
