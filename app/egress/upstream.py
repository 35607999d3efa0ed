"""A proxy that stands between this host, or a job, and everything else."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

PORT = 3128  # where none is given


@dataclass(frozen=True)
class Upstream:
    """A forward proxy for HTTP.

    login: "user:password", "" if it asks for none; guards: it is one of ours, which knows the rules and checks names.
    """

    host: str
    port: int = PORT
    login: str = field(default="", repr=False)
    guards: bool = False

    @classmethod
    def of(cls, url: str | None, *, guards: bool = False) -> Upstream | None:
        """The proxy at http://user:password@host:port; None for None. Raises ValueError for what is no such address."""
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("not an address such as http://user:password@proxy.example.org:3128")
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if "@" in parts.netloc else ""
        return cls(parts.hostname, PORT if parts.port is None else parts.port, login, guards)

    def headers(self) -> dict[str, str]:
        """What it wants to be told with each request."""
        if not self.login:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(self.login.encode()).decode()}"}
