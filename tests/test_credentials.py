"""Named credentials: which address gets which, and the file that keeps them."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from geomill.app.credentials import FILE, Credential, CredentialError, Credentials, Pattern, chosen
from geomill.app.guard import Guard, Refused

SECRET = "cr3dent1al-f0r-t3sts"
PLAIN = {"pattern": "x.org", "kind": "bearer"}


def bearer(name: str, pattern: str, **more: Any) -> Credential:
    return Credential(name, pattern, "bearer", secret=SECRET, **more)


def target(href: str) -> Any:
    """An address as the guard checks it; hosts need not be public here."""
    return Guard(allow=["127.0.0.1", "[::1]", "example.org", "*.example.org"]).target(href)


MATCHES = [
    ("example.org", "https://example.org/a"),
    ("example.org", "https://EXAMPLE.org/"),
    ("example.org", "https://example.org./"),
    ("example.org", "https://example.org:443/"),
    ("EXAMPLE.ORG.", "https://example.org/"),
    ("https://example.org", "https://example.org/"),
    ("example.org:8443", "https://example.org:8443/"),
    ("http://example.org", "http://example.org/"),
    ("*.example.org", "https://a.example.org/"),
    ("*.example.org", "https://a.b.example.org/"),
    ("https://example.org/data/", "https://example.org/data/a.tif"),
    ("https://example.org/data", "https://example.org/data/a.tif"),
    ("https://example.org/data", "https://example.org/data"),
    ("https://example.org/data", "https://example.org/data?x=/../y"),
    ("https://example.org/data", "https://example.org/d%61ta/x"),
    ("xn--bcher-kva.example", "https://xn--bcher-kva.example/"),
    ("127.0.0.1:99", "https://127.0.0.1:99/"),
    ("https://[::1]:99/", "https://[::1]:99/"),
    ("https://[0:0::1]:99/", "https://[::1]:99/"),
]
OTHERS = [
    ("example.org", "http://example.org/"),
    ("example.org", "https://example.org:8443/"),
    ("http://example.org", "https://example.org/"),
    ("http://example.org", "http://example.org:443/"),
    ("example.org", "https://a.example.org/"),
    ("example.org", "https://example.org.evil.com/"),
    ("example.org", "https://evil-example.org/"),
    ("example.org", "https://example.orgx/"),
    ("*.example.org", "https://example.org/"),
    ("*.example.org", "https://evilexample.org/"),
    ("*.example.org", "https://a.example.org.evil.com/"),
    ("*.example.org", "http://a.example.org/"),
    ("*.example.org", "https://a.example.org:4443/"),
    ("https://example.org/data/", "https://example.org/database"),
    ("https://example.org/data", "https://example.org/database"),
    ("https://example.org/data/", "https://example.org/"),
    ("https://example.org/data/", "https://example.org/data/../private"),
    ("https://example.org/data/", "https://example.org/data/%2e%2e/private"),
    ("https://example.org/data/", "https://example.org/data/%252e%252e/private"),
    ("https://example.org/data/", "https://example.org/data%2f..%2fprivate"),
    ("https://example.org/data/", "https://example.org/data/..%5cprivate"),
    ("https://example.org/data/", "https://example.org/data//../../private"),
    ("https://example.org/data/", "https://example.org/?/data/"),
    ("127.0.0.1", "https://127.0.0.1.example.org/"),
    ("xn--bcher-kva.example", "https://bcher-kva.example/"),
]


@pytest.mark.parametrize("pattern, href", MATCHES)
def test_a_credential_is_for_the_addresses_of_its_pattern(pattern: str, href: str) -> None:
    assert chosen([bearer("a", pattern)], target(href))


@pytest.mark.parametrize("pattern, href", OTHERS)
def test_a_credential_is_for_no_other_address(pattern: str, href: str) -> None:
    assert chosen([bearer("a", pattern)], target(href)) is None


@pytest.mark.parametrize(
    "href",
    [
        "https://example.org@evil.com/", "https://evil.com\\@example.org/", "https://example。org/", "https://EXAMPLE.ORG%00/",
        "https://exämple.org/", "https://example.org%2eevil.com/", "https:example.org", "https://exampleｅ.org/",
    ],
)  # fmt: skip
def test_an_address_that_could_be_read_in_two_ways_is_not_even_fetched(href: str) -> None:
    with pytest.raises(Refused):
        target(href)


@pytest.mark.parametrize(
    "pattern",
    [
        "", "*", "*.org", "*.", "a.*.org", "https://", "ftp://example.org", "https://u@example.org",
        "https://example.org?x", "https://example.org/a/../b", "https://example.org/a//b", "https://example.org/%2e",
        "exämple.org", "example.org:x", "2130706433", "*.127.0.0.1", "https://example.org/a b", "a\\b", "s3://",
        "s3://a", "s3://*.b", "s3://b/../c", "https://example.org\n", "[::1%lo]",
    ],
)  # fmt: skip
def test_a_pattern_that_says_too_much_or_nothing_is_refused(pattern: str) -> None:
    if pattern.strip() != pattern:
        assert str(Pattern.parse(pattern)) == str(Pattern.parse(pattern.strip()))
        return
    with pytest.raises(CredentialError):
        Pattern.parse(pattern)


def test_the_longest_match_counts() -> None:
    known = [
        bearer("below", "*.example.org"), bearer("longer", "*.b.example.org"), bearer("host", "a.b.example.org"),
        bearer("path", "https://a.b.example.org/x/"), bearer("deeper", "https://a.b.example.org/x/y"),
    ]  # fmt: skip

    def name(href: str) -> str | None:
        found = chosen(known, target(href))
        return found.name if found else None

    assert name("https://z.example.org/") == "below"
    assert name("https://z.b.example.org/x/") == "longer"
    assert name("https://a.b.example.org/") == "host"
    assert name("https://a.b.example.org/x/z") == "path"
    assert name("https://a.b.example.org/x/y/z") == "deeper"
    assert name("https://a.b.example.org/x/../y") == "host"


WRONG: list[dict[str, Any]] = [
    {"name": "a b"}, {"name": "../a"}, {"name": ""}, {"kind": "magic"}, {"secret": ""}, {"secret": "a\r\nX-Other: b"},
    {"secret": "a b"}, {"secret": "ä"}, {"secret": "x" * 20_000}, {"secret": 5}, {"pattern": None},
    {"pattern": "s3://bucket"}, {"kind": "header", "header": "Host"}, {"kind": "header", "header": "a: b"},
    {"kind": "header", "header": "Content-Length"}, {"kind": "header"}, {"kind": "basic"},
    {"kind": "basic", "user": "a:b"}, {"kind": "basic", "user": "a\n"},
    {"kind": "basic", "user": "a", "secret": "a\nb"},
    {"kind": "s3"}, {"kind": "s3", "pattern": "s3://bucket", "user": "AK IA"},
    {"kind": "s3", "pattern": "s3://bucket", "user": "AKIA", "region": "../x"},
    {"kind": "s3", "pattern": "s3://bucket", "user": "AKIA", "endpoint": "store.example.org"},
    {"kind": "s3", "pattern": "s3://bucket", "user": "AKIA", "endpoint": "https://store.example.org/path"},
    {"kind": "s3", "pattern": "s3://bucket", "user": "AKIA", "style": "other"},
    {"kind": "s3", "pattern": "s3://bucket", "user": "AKIA", "session": "a\nb"},
    {"kind": "s3", "pattern": "s3://bucket", "user": "AKIA", "secret": ""},
]  # fmt: skip


@pytest.mark.parametrize("members", WRONG)
def test_a_malformed_credential_is_refused_without_showing_its_secret(members: dict[str, Any]) -> None:
    with pytest.raises(CredentialError) as error:
        Credential(**{"name": "a", "pattern": "example.org", "kind": "bearer", "secret": SECRET, **members})
    assert SECRET not in str(error.value)


def test_what_each_kind_says() -> None:
    def says(**members: Any) -> dict[str, str]:
        return Credential("a", "example.org", secret=SECRET, **members).headers()

    assert says(kind="bearer") == {"Authorization": f"Bearer {SECRET}"}
    assert says(kind="header", header="X-Api-Key") == {"X-Api-Key": SECRET}
    # RFC 7617, section 2
    aladdin = Credential("a", "example.org", "basic", secret="open sesame", user="Aladdin")
    assert aladdin.headers() == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


def test_nothing_shows_a_secret_by_accident() -> None:
    credential = Credential("a", "s3://bucket", "s3", secret=SECRET, user="AKIA", session=f"{SECRET}-2")
    assert SECRET not in f"{credential} {credential!r} {[credential]}"


# --- the file


@pytest.fixture
def kept(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / FILE)


def test_no_file_means_no_credentials(kept: Credentials) -> None:
    assert kept.all() == {}


def test_what_was_added_is_there_until_it_is_removed(kept: Credentials) -> None:
    kept.add(bearer("b", "example.org"))
    kept.add(Credential("a", "s3://bucket/x/", "s3", SECRET, "AKIA", None, "http://h:9", "eu-1", "path", "token"))
    assert list(kept.all().values()) == [
        Credential("a", "s3://bucket/x/", "s3", SECRET, "AKIA", None, "http://h:9", "eu-1", "path", "token"),
        bearer("b", "example.org"),
    ]
    kept.add(bearer("b", "other.org"))  # in place of the other
    assert kept.all()["b"].pattern == "other.org"
    kept.remove("b")
    assert list(kept.all()) == ["a"]
    with pytest.raises(CredentialError, match="'b'"):
        kept.remove("b")


def test_two_credentials_for_the_same_addresses_are_refused(kept: Credentials) -> None:
    kept.add(bearer("a", "example.org"))
    with pytest.raises(CredentialError, match="a is for https://example.org/ already"):
        kept.add(bearer("b", "https://EXAMPLE.org:443/"))
    assert list(kept.all()) == ["a"]


def test_the_file_is_for_its_owner_alone_and_replaced_as_a_whole(kept: Credentials) -> None:
    old = os.umask(0)
    try:
        kept.add(bearer("a", "example.org"))
        first = kept.path.stat()
        kept.add(bearer("b", "other.org"))
    finally:
        os.umask(old)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert kept.path.stat().st_ino != first.st_ino
    assert [path.name for path in kept.path.parent.iterdir()] == [FILE]


def test_those_who_write_at_the_same_time_lose_nothing(kept: Credentials) -> None:
    threads = [threading.Thread(target=kept.add, args=(bearer(f"n{n}", f"h{n}.example.org"),)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.all()) == 20


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    "spoil",
    [
        linked,
        lambda path: path.chmod(0o640),
        lambda path: path.chmod(0o602),
        lambda path: (path.unlink(), os.mkfifo(path, 0o600)),
        lambda path: (path.unlink(), path.mkdir(0o700)),
        lambda path: path.write_text(f'{{"a": {{"secret": "{SECRET}"'),
        lambda path: path.write_text(json.dumps([SECRET])),
        lambda path: path.write_text(json.dumps({"a": SECRET})),
        lambda path: path.write_text(json.dumps({"a": {"secret": SECRET}})),
        lambda path: path.write_text(json.dumps({"a": {**PLAIN, "secret": [SECRET]}})),
        lambda path: path.write_text(json.dumps({"a": {**PLAIN, "secret": f"{SECRET}\n"}})),
        lambda path: path.write_bytes(b'"' + SECRET.encode() + b'\xff"'),
        lambda path: path.write_bytes(b" " * (2**20 + 2)),
    ],
)
def test_a_file_that_others_may_have_written_or_that_is_torn_is_not_used(kept: Credentials, spoil: Any) -> None:
    kept.add(bearer("a", "example.org"))
    spoil(kept.path)
    with pytest.raises(CredentialError) as error:
        kept.all()
    assert SECRET not in str(error.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_used_and_none_is_put_into_his_folder(kept: Credentials) -> None:
    kept.add(bearer("a", "example.org"))
    os.chown(kept.path, 12345, -1)
    with pytest.raises(CredentialError, match="another user"):
        kept.all()
    kept.path.unlink()
    os.chown(kept.path.parent, 12345, -1)
    with pytest.raises(CredentialError, match="run this as that user"):
        kept.add(bearer("a", "example.org"))
