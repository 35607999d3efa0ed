"""Addresses that look like one thing and are another: none of them may lead anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# hosts that are this one, its network or nobody's, in every spelling that some program understands
HOSTS = [
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "127.0.0.01", "0177.0.0.1", "017700000001", "0x7f.0.0.1",
    "0x7f000001", "2130706433", "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost.", "a.localhost", "[::1]", "[::]",
    "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[2001:0:0:0:0:0:80ff:fffe]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[fc00::1]",
    "[fec0::1]", "[ff02::1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "2852039166",
    "0xa9fea9fe", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "224.0.0.1", "255.255.255.255", "192.0.2.1",
    "198.18.0.1", "127.0.0.1%2f.example", "%31%32%37.0.0.1", "127.0.0.1\\.public.example",
]  # fmt: skip
# names, and where the resolver of the tests says that they lead
NAMES = {
    "inside.example": ["127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "intranet.example": ["10.0.0.1", "192.168.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "scoped.example": ["fe80::1%lo"],
    "six.example": ["::1"],
}
# authorities in which the host is not where one looks for it
AUTHORITIES = [
    "user@public.example", "user:secret@public.example", "public.example@127.0.0.1", "127.0.0.1@public.example",
    "public.example:80@127.0.0.1", "public.example%40127.0.0.1", "public.example\\@127.0.0.1", "[::1]public.example",
    "public.example[::1]", "127.0.0.1:80:80", "public.example:port", "public.example:0", "public.example:99999",
    "-public.example", "public..example",
]  # fmt: skip
UNICODE = ["127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1", "\u24db\u24de\u24d2alhost", "l\xf6calhost.example"]
# what is no http(s) address at all
OTHERS = [
    "file:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/x",
    "gopher://127.0.0.1:6379/_FLUSHALL", "dict://127.0.0.1:11211/stats", "data:text/plain,x", "jar:http://127.0.0.1/x",
    "//127.0.0.1/x", "http:127.0.0.1", "http:///127.0.0.1/", "unix:/run/docker.sock", "/vsicurl/http://127.0.0.1/x",
    "/vsizip//etc/passwd", "/vsizip/{/vsicurl/http://127.0.0.1/x}/y", "/etc/passwd",
]  # fmt: skip


def addresses(port: int | None = None) -> Iterator[str]:
    """All of them, as http addresses where they are hosts. port: where something listens on this host."""
    end = "" if port is None else f":{port}"
    for host in (*HOSTS, *NAMES, *UNICODE):
        yield f"http://{host}{end}/secret"
    for authority in AUTHORITIES:
        yield f"http://{authority}/secret"
    yield from OTHERS


def resolve(host: str, port: int) -> list[str]:
    """Where names lead. Public ones lead nowhere that a test should go: nothing may ask for them."""
    if host in NAMES:
        return NAMES[host]
    raise AssertionError(f"{host} was looked up")


PUBLIC = "93.184.216.34"  # an address of the internet, which is this host in a network of the tests
# Every Python process of a server imports this before anything else; what they fork inherits it.
_SITECUSTOMIZE = """
import itertools, socket

names = {names!r}
rebinding = itertools.cycle([[{public!r}], ["127.0.0.1"], [{public!r}, "127.0.0.1"]])
lookup = socket.getaddrinfo

def getaddrinfo(host, port, *rest, **named):
    found = next(rebinding) if host == "rebind.example" else names.get(host)
    if found is None:
        return lookup(host, port, *rest, **named)
    return [(socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in found]

socket.getaddrinfo = getaddrinfo
"""


def write_resolver(folder: Path) -> None:
    """Put a module there that makes Python's resolver the tests' own, if the folder is in PYTHONPATH."""
    names = {**NAMES, "public.example": [PUBLIC]}
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(names=names, public=PUBLIC))
