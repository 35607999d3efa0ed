"""The one way out: what a request names is fetched here, or not at all.

http and https to public addresses only, unless listed; a name is checked after it was resolved, and the connection
goes to the very address that was checked, again on every redirect. Knows no process and no job.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import socket
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin, urlsplit

from .egress.upstream import Upstream
from .exchange.media_types import extension

if TYPE_CHECKING:
    from http.client import HTTPResponse

SETTING = "GEOMILL_ALLOW"
PORTS = {"http": 80, "https": 443}
FIRST_FREE_PORT = 1024  # below it are mail, shells and files; the web has its two
REDIRECTS = 5
LONGEST_HREF = 8192  # characters
CHUNK = 2**18  # bytes
UNKNOWN = "application/octet-stream"

_LABELS = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
_SUFFIX = re.compile(r"(\.tar)?\.[A-Za-z0-9]{1,8}$", re.ASCII)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# not globally reachable, which ipaddress knows in part, and in part of its versions. Source: the IANA registries of
# special-purpose addresses; but instances of clouds ask 192.0.0.192 who they are, and 168.63.129.16, which is in none
_SPECIAL = [
    ipaddress.ip_network(each)
    for each in (
        *("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"),
        *("64:ff9b:1::/48", "100::/63", "2001::/23", "3fff::/20", "5f00::/16"),
    )
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(ValueError):
    """An address that may not be fetched, or content that is too large; the message says why."""


class Unreachable(ConnectionError):
    """An address that may be fetched but did not give anything usable."""


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched. href: where it came from in the end, after redirects.

    name: what it is called where its address does not tell.
    """

    path: Path
    media_type: str
    href: str
    name: str = ""


@dataclass(frozen=True)
class Target:
    """An address taken apart. path: with the query; literal: the host, when it is an IP address itself."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None

    @property
    def authority(self) -> str:
        """Host and port, as a proxy is asked for them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Access:
    """What requests say of who we are, and where addresses lead that are none of the web: nothing, nowhere."""

    def read(self) -> None:
        """Learn what there is to say, while there is the right to."""

    def check(self, href: str) -> str:
        """The web address of one that may be fetched, or of what lies below it. Raises Refused."""
        return href

    def address(self, href: str) -> str:
        """The web address of one that is to be fetched. Raises Refused."""
        return href

    def headers(self, target: Target) -> Mapping[str, str]:
        """What a GET of this address, as it was checked, says besides. Raises Refused."""
        return {}

    def trouble(self, target: Target, response: HTTPResponse) -> str:
        """What an answer means that is not what was asked for, as the end of a sentence."""
        return f"it answered {response.status} {phrase(response.status)}".strip()


def phrase(status: int) -> str:
    """What a status is called; not what a server calls it, who may repeat what it heard."""
    from http import HTTPStatus

    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Guard:
    """Fetches what may be fetched.

    allow: what may be fetched besides public addresses: "host", "host:port", "*.example.org", "file:///data/".
    max_bytes: largest file. timeout: seconds for one fetch, redirects included. resolve: names to addresses.
    upstream: the proxy by which to reach whatever is not listed, or everything if it guards.
    access: asked for every address that is connected to, so that what it says goes to no other.
    """

    allow: Collection[str] = ()
    max_bytes: int = 2 * 2**30
    timeout: float = 3600.0
    upstream: Upstream | None = None
    resolve: Callable[[str, int], Iterable[str]] = field(default=resolve, repr=False)
    access: Access = field(default=Access(), repr=False)

    def check(self, href: str) -> None:
        """Refuse what can be refused without looking a name up. Raises Refused."""
        if _is_file(href):
            self._directories(href)
        else:
            self.target(self.access.check(href))

    def reached(self, url: str) -> tuple[Target, list[str] | Upstream]:
        """A web address in its parts, and the addresses to connect to, or the proxy. Raises Refused, Unreachable."""
        target = self.target(url)
        return target, self.way(target)

    def fetch(self, href: str, directory: Path, media_type: str | None = None) -> Fetched:
        """Put what an address gives into a new file of `directory`; media_type: instead of what the server says.

        The file has a generated name with the extension of the address. Raises Refused, Unreachable; another OSError
        only where the file cannot be written.
        """
        if _is_file(href):
            return self._copy(href, directory, media_type)
        from . import download  # http.client and ssl: not for those who only check

        deadline = time.monotonic() + self.timeout
        url = self.access.address(href)
        on_web = url == href  # an object store moves nothing, it only says that one is wrong about where it is
        for _ in range(REDIRECTS + 1):
            target, way = self.reached(url)
            with download.send("GET", target, way, deadline, self.access.headers(target)) as response:
                moves = on_web and response.status in (301, 302, 303, 307, 308)
                moved = response.getheader("Location") if moves else None
                if moved is None:
                    if response.status != 200:
                        raise Unreachable(f"{shown(href)} cannot be fetched: {self.access.trouble(target, response)}")
                    return self._save(response, download.content(response, target.host), href, directory, media_type)
                # headers arrive as Latin-1 whatever they were
                url = urljoin(url, quote(moved.strip().encode("latin-1"), safe="!\"#$%&'()*+,/:;<=>?@[\\]^_`{|}~"))
                href = url
        raise Refused(f"{shown(href)} is refused: more than {REDIRECTS} redirects led there.")

    def target(self, href: str) -> Target:
        """The parts of an address whose syntax and host are beyond doubt. Raises Refused."""
        if len(href) > LONGEST_HREF or re.search(r"[\x00-\x20\x7f\\]", href):
            raise Refused(
                f"{shown(href)} is refused: it is too long, or has spaces, backslashes or control characters."
            )
        try:
            parts = urlsplit(href)
            port = PORTS[parts.scheme] if parts.port is None else parts.port
            host, literal = parse_host(parts.netloc, parts.hostname or "")
        except KeyError:
            raise Refused(f"{shown(href)} is refused: only http and https addresses are fetched.") from None
        except ValueError as error:
            raise Refused(f"{shown(href)} is refused: {error}.") from None
        if "@" in parts.netloc or port == 0:
            raise Refused(f"{shown(href)} is refused: it has a user name, a password or port 0.")
        local = host == "localhost" or host.endswith(".localhost") or (literal is not None and not is_public(literal))
        if local and not self._listed(host, port):
            raise _not_public(href, host)
        if port < FIRST_FREE_PORT and port not in PORTS.values() and not self._listed(host, port):
            raise Refused(f"{shown(href)} is refused: port {port} is not of the web. List it in {SETTING} to allow it.")
        query = f"?{_quoted(parts.query)}" if parts.query else ""
        return Target(parts.scheme, host, port, _quoted(parts.path or "/") + query, literal)

    def way(self, target: Target) -> list[str] | Upstream:
        """The addresses to connect to, or the proxy that leads there.

        Raises Refused when no address is allowed, Unreachable when there is none.
        """
        if self.upstream and self.upstream.guards:
            return self.upstream
        listed = self._listed(target.host, target.port)
        try:
            found = [str(target.literal)] if target.literal else list(self.resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            if self.upstream and not listed:  # a name that the proxy alone may know
                return self.upstream
            raise Unreachable(f"The host {target.host} is not known: {error}.") from error
        if listed:
            return found
        public = [address for address in found if "%" not in address and is_public(ipaddress.ip_address(address))]
        if found and (not public or (self.upstream and len(public) < len(found))):  # which of them the proxy would take
            raise _not_public(f"{target.scheme}://{target.host}", target.host)
        return self.upstream or public

    def _listed(self, host: str, port: int) -> bool:
        """Whether the settings allow a host, wherever it is."""
        return any(
            stated in (None, port) and (host == name or (name.startswith("*.") and host.endswith(name[1:])))
            for name, stated in map(_entry, self.allow)
        )

    def _save(
        self, response: HTTPResponse, chunks: Iterator[bytes], href: str, directory: Path, media_type: str | None
    ) -> Fetched:
        if (response.length or 0) > self.max_bytes:
            raise self._too_large(href)
        sent = (response.getheader("Content-Type") or "").strip()
        return self._write(chunks, href, directory, media_type or sent or UNKNOWN)

    def _write(self, chunks: Iterable[bytes], href: str, directory: Path, media_type: str) -> Fetched:
        path = directory / new_name(urlsplit(href).path, media_type)
        size = 0
        try:
            with path.open("xb") as file:
                for chunk in chunks:
                    size += len(chunk)
                    if size > self.max_bytes:
                        raise self._too_large(href)
                    file.write(chunk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Fetched(path, media_type, href)

    def _too_large(self, href: str) -> Refused:
        return Refused(f"{shown(href)} is refused: it is larger than {self.max_bytes} bytes.")

    def _directories(self, href: str) -> list[str]:
        """The listed directories, links resolved, one of which a file address must lie in. Raises Refused."""
        listed = [os.path.realpath(unquote(urlsplit(entry).path)) for entry in self.allow if _is_file(entry)]
        try:
            parts = urlsplit(href)
            real = os.path.realpath(unquote(parts.path))
        except ValueError as error:  # a null character
            raise Refused(f"{shown(href)} is refused: {error}.") from None
        except OSError as error:  # a link that not even root may follow
            raise Refused(f"{shown(href)} is refused: {error.strerror}.") from None
        if parts.netloc not in ("", "localhost") or not _inside(real, listed):
            raise Refused(f"{shown(href)} is refused: its directory is not listed in {SETTING}, as file:///directory/.")
        return listed

    def _copy(self, href: str, directory: Path, media_type: str | None) -> Fetched:
        """A file of this host. It is opened first and judged then, so that nothing can be swapped in between."""
        listed = self._directories(href)
        try:
            descriptor = os.open(unquote(urlsplit(href).path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Unreachable(f"{shown(href)} cannot be read: {error.strerror}.") from error
        real = os.readlink(f"/proc/self/fd/{descriptor}")
        if not _inside(real, listed) or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Refused(f"{shown(href)} is refused: it is no regular file in a directory listed in {SETTING}.")
        with open(descriptor, "rb") as file:
            return self._write(iter(lambda: file.read(CHUNK), b""), href, directory, media_type or UNKNOWN)


def new_name(path: str, media_type: str) -> str:
    """A generated name for a file, with the extension of a path, else of its media type."""
    suffix = _SUFFIX.search(path)
    return f"{secrets.token_hex(6)}{suffix[0] if suffix else extension(media_type)}"


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet; an IPv4 address inside an IPv6 one counts as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if inner:
            return is_public(inner)
        if address.is_site_local:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def shown(href: str) -> str:
    """An address for a message: without its query, which may be signed, and without a password."""
    scheme, separator, rest = re.sub(r"[\x00-\x20\x7f]", " ", href).partition("://")
    place = re.split(r"[?#]", rest)[0]
    authority, slash, path = place.partition("/")
    text = f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else scheme
    return text if len(text) <= 200 else f"{text[:200]}..."


def parse_host(netloc: str, host: str) -> tuple[str, Address | None]:
    """A host in lower case without its final dot, and the address it may be. Raises ValueError for doubtful forms."""
    host = host.lower().removesuffix(".")
    try:
        if "[" in netloc:
            if "%" in host or not netloc.startswith("["):
                raise ValueError
            return str(ipaddress.IPv6Address(host)), ipaddress.IPv6Address(host)
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            # 127.1, 0x7f.1 and 2130706433 mean different things to different readers
            return host, ipaddress.IPv4Address(host)
        if not _LABELS.fullmatch(host) or len(host) > 253:
            raise ValueError
    except ValueError:
        hint = "" if host.isascii() else " (in the xn-- form)"
        raise ValueError(f"its host is not a plain name{hint} or IP address") from None
    return host, None


def _entry(entry: str) -> tuple[str, int | None]:
    """Name and port of an entry of the allow list, such as `host:8080` or `[::1]:8080`."""
    text = entry.strip().lower()
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d+)", text)
    return (match[1] if match else text).strip("[]").removesuffix("."), int(match[2]) if match else None


def _not_public(href: str, host: str) -> Refused:
    return Refused(f"{shown(href)} is refused: {host} is not a public address. List it in {SETTING} to allow it.")


def _is_file(href: str) -> bool:
    return href[:5].lower() == "file:"


def _inside(path: str, directories: Iterable[str]) -> bool:
    return any(os.path.commonpath([path, directory]) == directory and path != directory for directory in directories)


def _quoted(text: str) -> str:
    """A path or query as it may stand in a request line."""
    return quote(text, safe="!$%&'()*+,/:;=?@[]~")
