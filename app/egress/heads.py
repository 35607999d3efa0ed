"""The heads of HTTP messages, read strictly: what two readers could understand differently is refused. RFC 9112."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass

LONGEST = 64 * 1024  # bytes
# what concerns one connection; the last ones are written anew
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
              "proxy-authentication-info", "proxy-status", "te", "trailer", "transfer-encoding", "upgrade", "expect",
              "http2-settings", "host", "content-length"}  # fmt: skip

_REQUEST = re.compile(r"([A-Z][A-Z-]{0,31}) ([\x21-\x7e]{1,8192}) HTTP/1\.([01])")
_RESPONSE = re.compile(r"HTTP/1\.[01] ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")


class Malformed(ValueError):
    """No HTTP, or what may be understood in several ways; the message says why."""


@dataclass(frozen=True)
class Head:
    """A first line and fields, their names in lower case."""

    first: str
    fields: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, content: bytes) -> Head:
        """A head without the empty line at its end. Raises Malformed."""
        first, *lines = content.decode("latin-1").split("\r\n")
        found = [_FIELD.fullmatch(line) for line in lines]
        if not all(found):
            raise Malformed("a header is malformed")
        return cls(first, tuple((match[1].lower(), match[2].strip(" \t")) for match in found if match))

    def all(self, name: str) -> list[str]:
        """The values of a field."""
        return [value for known, value in self.fields if known == name]

    def request(self) -> tuple[str, str, int]:
        """Method, target and minor version of a request. Raises Malformed."""
        match = _REQUEST.fullmatch(self.first)
        if match is None:
            raise Malformed("the request line is malformed")
        return match[1], match[2], int(match[3])

    def status(self) -> int:
        """The status of a response. Raises Malformed."""
        match = _RESPONSE.fullmatch(self.first)
        if match is None:
            raise Malformed("the status line is malformed")
        return int(match[1])

    def length(self) -> int | None:
        """The stated length of the body, in bytes. Raises Malformed."""
        stated = self.all("content-length")
        if not stated:
            return None
        if len(stated) > 1 or not re.fullmatch(r"\d{1,18}", stated[0], re.ASCII):
            raise Malformed("the Content-Length is no number, or there are several")
        return int(stated[0])

    def chunked(self) -> bool:
        """Whether the body comes in chunks. Raises Malformed for any other encoding of the transfer."""
        codings = self.all("transfer-encoding")
        if codings and [coding.lower() for coding in codings] != ["chunked"]:
            raise Malformed("the Transfer-Encoding is none that is understood")
        return bool(codings)

    def end_to_end(self) -> list[tuple[str, str]]:
        """The fields for the other end, without those of this connection."""
        named = {name.strip().lower() for value in self.all("connection") for name in value.split(",")}
        return [(name, value) for name, value in self.fields if name not in HOP_BY_HOP | named]


def written(first: str, fields: list[tuple[str, str]]) -> bytes:
    """A head as it is sent."""
    return "".join(f"{line}\r\n" for line in (first, *(f"{name}: {value}" for name, value in fields), "")).encode(
        "latin-1"
    )


def receive(link: socket.socket, deadline: float, read: bytes = b"") -> tuple[Head, bytes]:
    """A head, and what has come behind it. deadline: as of time.monotonic(); read: what was read before.

    Raises EOFError when the other side leaves before it has said anything, Malformed, OSError.
    """
    content = bytearray(read)
    while (end := content.find(b"\r\n\r\n")) < 0:
        if len(content) > LONGEST:
            raise Malformed(f"the head is longer than {LONGEST} bytes")
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        link.settimeout(left)
        piece = link.recv(LONGEST)
        if not piece:
            raise Malformed("the head is incomplete") if content else EOFError
        content += piece
    return Head.of(bytes(content[:end])), bytes(content[end + 4 :])
