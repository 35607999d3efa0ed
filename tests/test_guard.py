"""What may be fetched and what may not; nothing here connects."""

import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from geomill.app.guard import Guard, Refused, Unreachable, is_public, shown


def no_names(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


# --- refused without a connection

REFUSED = [
    "",
    "data.tif",
    "/etc/passwd",
    "//example.org/a",
    "ftp://example.org/a",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "data:text/plain,a",
    "jar:http://example.org/a",
    "/vsicurl/http://example.org/a",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "FILE:///etc/passwd",
    "file:///proc/1/root/etc/passwd",
    "file://example.org/etc/passwd",
    "http://",
    "http:///a",
    "http:example.org",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.01/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://192.0.0.192/",
    "http://192.0.0.8/",
    "http://192.88.99.1/",
    "http://168.63.129.16/",
    "http://[2001:2::1]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[100::1]/",
    "http://[3fff::1]/",
    "http://[5f00::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:0:0:0:0:80ff:fffe]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[2606:4700::1%25lo]/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[127.0.0.1]/",
    "http://[::1/",
    "http://a[::1]/",
    "http://user@example.org/",
    "http://user:secret@example.org/",
    "http://example.org:80@127.0.0.1/",
    "http://example.org\\@127.0.0.1/",
    "http://127.0.0.1\\.example.org/",
    "http://example.org%2f@127.0.0.1/",
    "http://%31%32%37.0.0.1/",
    "http://exa mple.org/",
    "http://example.org/a b",
    "http://example.org/\r\nHost: other",
    "http://example.org/\tx",
    "http://example.org/\0",
    " http://example.org/",
    "http://127\u30020\u30020\u30021/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://\u24db\u24de\u24d2alhost/",
    "http://ex\xe4mple.org/",
    "http://example\u2024org/",
    "http://example..org/",
    "http://-example.org/",
    "http://.example.org/",
    "http://example.org:0/",
    "http://example.org:65536/",
    "http://example.org:-1/",
    "http://example.org:http/",
    "http://" + "a" * 64 + ".org/",
    "http://" + "a." * 150 + "org/",
    "http://example.org/" + "a" * 9000,
]


@pytest.mark.parametrize("href", REFUSED)
def test_what_is_no_plain_public_address_is_refused_unseen(href: str, tmp_path: Path) -> None:
    guard = Guard(resolve=no_names)
    with pytest.raises(Refused) as error:
        guard.check(href)
    assert len(str(error.value)) < 500 and "secret" not in str(error.value)
    with pytest.raises(Refused):
        guard.fetch(href, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "href",
    [
        "http://example.org",
        "https://example.org:8443/a?b=c#d",
        "HTTPS://Example.ORG./a",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:443/",
        "https://xn--exmple-cua.org/\xe4",
        "https://a_b.example.org/%20",
    ],
)
def test_public_addresses_pass_the_check(href: str) -> None:
    Guard(resolve=no_names).check(href)


@pytest.mark.parametrize(
    "allow, href, passes",
    [
        ("10.0.0.1", "http://10.0.0.1/", True),
        ("10.0.0.1", "http://10.0.0.1:8080/", True),
        ("10.0.0.1:8080", "http://10.0.0.1:8080/", True),
        ("10.0.0.1:8080", "http://10.0.0.1/", False),
        ("10.0.0.1:80", "http://10.0.0.1/", True),
        ("10.0.0.1", "http://10.0.0.10/", False),
        ("localhost", "http://LocalHost./", True),
        ("localhost:5000", "https://localhost:5000/", True),
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]", "http://[0:0:0:0:0:0:0:1]/", True),
        ("*.localhost", "http://a.localhost/", True),
        ("*.localhost", "http://localhost/", False),
        ("*", "http://10.0.0.1/", False),
    ],
)
def test_a_listed_host_passes_and_no_other(allow: str, href: str, passes: bool) -> None:
    guard = Guard(allow=[allow], resolve=no_names)
    if passes:
        guard.check(href)
    else:
        with pytest.raises(Refused, match="GEOMILL_ALLOW"):
            guard.check(href)


@pytest.mark.parametrize(
    "address, public",
    [("8.8.8.8", True), ("2606:4700::1", True), ("64:ff9b::808:808", True), ("::ffff:8.8.8.8", True)]
    + [
        (address, False) for address in ("10.1.1.1", "::", "64:ff9b::a00:1", "2002:a00:1::", "::8.8.8.8", "100.100.1.1")
    ],
)
def test_an_address_inside_another_counts_as_itself(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["10.0.0.1", "::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"]]
)
def test_a_name_is_refused_for_where_it_leads(found: list[str], tmp_path: Path) -> None:
    guard = Guard(resolve=lambda host, port: found)
    guard.check("http://rebind.example/")
    with pytest.raises(Refused, match="rebind.example is not a public address"):
        guard.fetch("http://rebind.example/", tmp_path)


def test_of_several_addresses_only_public_ones_are_connected_to() -> None:
    guard = Guard(resolve=lambda host, port: ["127.0.0.1", "8.8.8.8"])
    target = guard.target("http://mixed.example/a")
    assert guard.way(target) == ["8.8.8.8"]


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_a_name_without_address_is_unreachable(failure: Exception, tmp_path: Path) -> None:
    def fail(host: str, port: int) -> list[str]:
        raise failure

    resolvers: list[Callable[[str, int], list[str]]] = [fail, lambda host, port: []]
    for resolver in resolvers:
        with pytest.raises(Unreachable, match="nowhere.example"):
            Guard(resolve=resolver).fetch("http://nowhere.example/", tmp_path)


# --- files of this host


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a b.tif").write_bytes(b"pixels")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "data-2").mkdir()
    (tmp_path / "data-2" / "a").write_text("secret")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "in").symlink_to("sub/a b.tif")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("path", ["sub/a%20b.tif", "sub/../in", "in"])
def test_a_file_of_a_listed_directory_is_copied(data: Path, tmp_path: Path, path: str) -> None:
    guard = Guard(allow=[f"file://{data}/"], resolve=no_names)
    guard.check(f"file://{data}/{path}")
    fetched = guard.fetch(f"file://localhost{data}/{path}", tmp_path)
    assert fetched.path.read_bytes() == b"pixels" and fetched.path.parent == tmp_path
    assert fetched.media_type == "application/octet-stream"


@pytest.mark.parametrize(
    "path", ["../secret", "..%2fsecret", "out", "up/secret", "../data-2/a", "pipe", "sub", "", "%00"]
)
def test_no_other_file_is(data: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(Refused):
        Guard(allow=[f"file://{data}/"]).fetch(f"file://{data}/{path}", tmp_path)


def test_files_have_their_limits_too(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="larger than 5 bytes"):
        Guard(allow=[f"file://{data}"], max_bytes=5).fetch(f"file://{data}/in", tmp_path)
    with pytest.raises(Unreachable, match="No such file"):
        Guard(allow=[f"file://{data}"]).fetch(f"file://{data}/none", tmp_path)


def test_messages_hold_no_secrets() -> None:
    assert shown("https://user:secret@example.org/a?signature=b#c") == "https://example.org/a"
    assert shown("data:text/plain,a") == "data:text/plain,a"
