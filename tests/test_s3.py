"""Objects by s3:// addresses: where they are, who signs for them, what a store's refusals mean."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st
from support import buckets
from support.buckets import Store
from support.web import pages

from geomill.app import s3
from geomill.app.access import TenantAccess
from geomill.app.credentials import FILE, Credential, Credentials
from geomill.app.cwl.directories import Directories
from geomill.app.exchange.addresses import joined
from geomill.app.guard import Guard, Refused, Target, Unreachable

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ODD = "a b/ä+&=%?#'\"<>.txt"


def keys(pattern: str = "s3://*", name: str = "a", **more: Any) -> Credential:
    return Credential(name, pattern, "s3", **{"secret": "S", "user": "AKIA", **more})


# --- the signature, against that of AWS's own library

SEGMENT = st.text(st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1)


@given(
    path=st.lists(SEGMENT.filter(lambda text: text not in (".", "..")), max_size=4),
    query=st.dictionaries(SEGMENT, st.text(st.characters(codec="ascii")), max_size=3),
    host=st.sampled_from(["s3.amazonaws.com", "bucket.store.example:9000", "127.0.0.1:9000", "[::1]:9000"]),
    method=st.sampled_from(["GET", "PUT", "POST"]),
    body=st.binary(max_size=20),
    session=st.none() | st.just("session/token+=="),
    scheme=st.sampled_from(["http", "https"]),
)
def test_a_signature_is_the_one_that_aws_would_make(
    path: list[str], query: dict[str, str], host: str, method: str, body: bytes, session: str | None, scheme: str
) -> None:
    said = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items())
    target_path = "/" + quote("/".join(path), safe="/-_.~") + (f"?{said}" if said else "")
    request = AWSRequest(method, f"{scheme}://{host}{target_path}", data=body)
    request.context.update(timestamp=NOW.strftime("%Y%m%dT%H%M%SZ"), payload_signing_enabled=True)
    theirs = S3SigV4Auth(BotoCredentials("AKIA", "secret", session), "s3", "eu-central-1")
    theirs._modify_request_before_signing(request)
    canonical = theirs.canonical_request(request)
    theirs._inject_signature_to_request(request, theirs.signature(theirs.string_to_sign(request, canonical), request))
    name, _, port = host.rpartition(":") if host[-1].isdigit() else (host, "", "")
    target = Target(scheme, name.strip("[]"), int(port or {"http": 80, "https": 443}[scheme]), target_path, None)
    ours = s3.sign(keys(secret="secret", session=session, region="eu-central-1"), method, target, body, NOW)
    assert ours["authorization"] == request.headers["Authorization"]


# --- where an object is

PLACES = [
    ("s3://bucket/a/b.tif", [], "https://bucket.s3.amazonaws.com/a/b.tif"),
    ("S3://bucket/a", [], "https://bucket.s3.amazonaws.com/a"),
    ("s3://my.bucket/a", [], "https://s3.amazonaws.com/my.bucket/a"),
    ("s3://my_bucket/a", [], "https://s3.amazonaws.com/my_bucket/a"),
    ("s3://bucket/a", [keys(region="eu-1")], "https://bucket.s3.eu-1.amazonaws.com/a"),
    ("s3://bucket/a", [keys(region="eu-1", style="path")], "https://s3.eu-1.amazonaws.com/bucket/a"),
    ("s3://bucket/a", [keys(endpoint="http://store:9000")], "http://store:9000/bucket/a"),
    ("s3://bucket/a", [keys(endpoint="https://[::1]:9000")], "https://[::1]:9000/bucket/a"),
    ("s3://bucket/a", [keys(endpoint="https://store", style="virtual")], "https://bucket.store/a"),
    ("s3://bucket/a", [keys("s3://other", endpoint="http://store")], "https://bucket.s3.amazonaws.com/a"),
    ("s3://bucket/x/a", [keys(endpoint="http://one"), keys("s3://bucket/x", "b", endpoint="http://two")],
     "http://two/bucket/x/a"),
    ("s3://bucket/xy", [keys(endpoint="http://one"), keys("s3://bucket/x", "b", endpoint="http://two")],
     "http://one/bucket/xy"),
    (f"s3://bucket/{quote(ODD)}", [keys(endpoint="http://store")], f"http://store/bucket/{quote(ODD, safe='/~')}"),
    ("s3://bucket/a/?list-type=2", [keys(endpoint="http://store")], "http://store/bucket/?list-type=2&prefix=a%2F"),
    ("s3://bucket/?list-type=2&continuation-token=a%2Bb%26", [],
     "https://bucket.s3.amazonaws.com/?continuation-token=a%2Bb%26&list-type=2&prefix="),
]  # fmt: skip


@pytest.mark.parametrize("href, known, url", PLACES)
def test_an_object_has_an_address_on_the_web(href: str, known: list[Credential], url: str) -> None:
    assert s3.address(href, known) == url


@pytest.mark.parametrize(
    "href",
    [
        "s3://", "s3:///key", "s3://bucket", "s3://bucket/", "s3://bucket/prefix/", "s3://b@d/key", "s3://b:80/key",
        "s3://bucket/../other/key", "s3://bucket/a/%2e%2e/%2e%2e/other", "s3://bucket/a//b", "s3://bucket/a?versionId=1",
        "s3://bucket/a#b", "s3://bucket/a?acl", "s3://bucket/%00", "s3://bucket/%ff", "s3://bucket/%0d%0aX-A:b",
        "s3://bucket/" + "k" * 1025, "s3://169.254.169.254%2f/key", "s3://[::1]/key", "s3://b\u00fccket/key",
    ],
)  # fmt: skip
def test_what_names_no_object_is_refused(href: str) -> None:
    with pytest.raises(Refused):
        s3.address(href, [])


def test_a_prefix_may_be_asked_for_and_an_object_not_in_its_place() -> None:
    guard = Guard(access=TenantAccess(Credentials(Path("/nowhere"))))
    for href in ("s3://bucket/a/", "s3://bucket", "s3://bucket/a"):
        guard.check(href)
    with pytest.raises(Refused, match="only a directory"):
        guard.fetch("s3://bucket/a/", Path("/nowhere"))


def test_the_host_of_a_store_is_checked_as_any() -> None:
    for endpoint in ("http://10.0.0.1:9000", "https://localhost", "http://[fd00::1]"):
        access = TenantAccess(Credentials(Path("/nowhere")))
        access.__dict__["_known"] = [keys(endpoint=endpoint)]
        with pytest.raises(Refused, match="not a public address"):
            Guard(access=access).check("s3://bucket/key")
        Guard(allow=["10.0.0.1:9000", "localhost", "[fd00::1]"], access=access).check("s3://bucket/key")


@pytest.mark.parametrize(
    "base, href, found",
    [
        ("s3://b/a/item.json", "./c.tif", "s3://b/a/c.tif"), ("s3://b/a/item.json", "../c.tif", "s3://b/c.tif"),
        ("s3://b/a/item.json", "/c.tif", "s3://b/c.tif"), ("s3://b/a/item.json", "https://h/c", "https://h/c"),
        ("s3://b/a/item.json", "s3://d/c", "s3://d/c"), ("https://h/a/item.json", "s3://d/c", "s3://d/c"),
        ("https://h/a/item.json", "c", "https://h/a/c"), ("s3://b/a/item.json", "../../../c", "s3://b/c"),
    ],
)  # fmt: skip
def test_links_inside_of_objects_are_seen_from_there(base: str, href: str, found: str) -> None:
    assert joined(base, href) == found


# --- who signs

SIGNED = [
    ("http://store:9000/bucket/x/a", "few"),
    ("http://store:9000/bucket/y", "all"),
    ("http://store:9000/bucket/?list-type=2&prefix=x%2F", "few"),
    ("http://store:9000/bucket/?list-type=2&prefix=", "all"),
    ("https://store:9000/bucket/x/a", None),
    ("http://store/bucket/x/a", None),
    ("http://bucket.store:9000/x/a", None),
    ("http://other:9000/bucket/x/a", None),
    ("http://store:9000/bucket/x/a?acl", None),
    ("http://store:9000/bucket/?policy", None),
    ("http://store:9000/bucket/x/../y", None),
    ("http://store:9000/bucket/..%2fother/y", None),
    ("http://virtual.example/key", None),
    ("http://bucket.virtual.example/key", None),
    ("http://mine.virtual.example/key", "virtual"),
    ("http://mine.virtual.example.evil.com/key", None),
    ("http://other.mine.virtual.example/key", None),
]


@pytest.mark.parametrize("href, name", SIGNED)
def test_a_request_is_signed_in_the_store_and_bucket_that_keys_are_for(href: str, name: str | None) -> None:
    known = [
        keys("s3://*", "all", endpoint="http://store:9000"),
        keys("s3://bucket/x/", "few", endpoint="http://store:9000"),
        keys("s3://mine", "virtual", endpoint="http://virtual.example", style="virtual"),
    ]
    found = s3.signer(known, Guard().target(href))
    assert (found.name if found else None) == name


# --- with a store


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    limited = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/open/*"}
    with buckets.store("data", "many", limited=limited) as running:
        for key in ("a.txt", "open/b.txt", ODD):
            running.client.put_object(Bucket="data", Key=key, Body=key.encode())
        yield running


@pytest.fixture
def known(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / FILE)


@pytest.fixture
def guard(store: Store, known: Credentials) -> Guard:
    return Guard(allow=[store.at], access=TenantAccess(known))


def of(store: Store, pattern: str = "s3://*", **more: Any) -> Credential:
    given = {"secret": store.secret, "user": store.key_id, "endpoint": store.url, **more}
    return Credential("store", pattern, "s3", **given)


@pytest.mark.parametrize("key", ["a.txt", "open/b.txt", ODD])
def test_an_object_is_fetched(store: Store, known: Credentials, guard: Guard, tmp_path: Path, key: str) -> None:
    known.add(of(store))
    for href in (f"s3://data/{quote(key)}", f"{store.url}/data/{quote(key)}"):
        fetched = guard.fetch(href, tmp_path)
        assert fetched.path.read_text() == key and fetched.href == href


@pytest.mark.parametrize(
    "href, members, message",
    [
        ("s3://data/nothing", {}, "there is no such object in the bucket"),
        ("s3://nothing/a.txt", {}, "there is no such bucket"),
        ("s3://data/a.txt", {"secret": "wrong"}, "does not accept the credential store (SignatureDoesNotMatch)"),
        ("s3://data/a.txt", {"user": "AKIAWRONG"}, "does not accept the credential store (InvalidAccessKeyId)"),
        ("s3://data/a.txt", {"few": True}, "the store refuses it: the credential store does not allow it"),
    ],
)
def test_a_refusal_says_what_to_do_and_no_secret(
    store: Store, known: Credentials, guard: Guard, tmp_path: Path, href: str, members: dict[str, Any], message: str
) -> None:
    if members.pop("few", False):
        assert store.allowed
        members = dict(zip(("user", "secret"), store.allowed, strict=True))
    known.add(of(store, **members))
    with pytest.raises(Unreachable) as error:
        guard.fetch(href, tmp_path)
    assert str(error.value).startswith(f"{href} cannot be fetched: ") and message in str(error.value)
    assert not any(text in str(error.value) for text in (store.secret, store.key_id, "Signature="))


def test_keys_for_one_prefix_open_that(store: Store, known: Credentials, guard: Guard, tmp_path: Path) -> None:
    assert store.allowed
    known.add(of(store, "s3://data/open/", user=store.allowed[0], secret=store.allowed[1]))
    assert guard.fetch("s3://data/open/b.txt", tmp_path).path.read_text() == "open/b.txt"


def error(code: str, status: int = 403, more: bytes = b"", **headers: str) -> Any:
    body = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>S is AKIA</Message>%s</Error>" % (code.encode(), more)
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


@pytest.mark.parametrize(
    "page, message",
    [
        (error("PermanentRedirect", 301, x_amz_bucket_region="eu-9"), "in the region eu-9, and the credential a says"),
        (error("AuthorizationHeaderMalformed", 400, b"<Region>eu-9</Region>"), "in the region eu-9"),
        (error("TemporaryRedirect", 307, Location="http://127.0.0.1:1/"), "its bucket is elsewhere"),
        (error("RequestTimeTooSkewed"), "the clock of this host"),
        (error("ExpiredToken"), "does not accept the credential a (ExpiredToken)"),
        (error("SlowDown", 503), "it answered 503 SlowDown"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "it answered 302"),
        ((500, {}, b"<Error><Code>" + b"x" * 10_000), "it answered 500"),
        ((200, {}, b"short"), "bytes are missing"),
    ],
)
def test_what_a_store_says_is_understood_and_not_repeated(
    known: Credentials, tmp_path: Path, page: Any, message: str
) -> None:
    if page[0] == 200:
        page = (200, {"Content-Length": "100"}, page[2])
    with pages({"/bucket/key": page}) as url:
        known.add(keys(endpoint=url))
        guard = Guard(allow=["127.0.0.1"], access=TenantAccess(known))
        with pytest.raises(Unreachable) as error:
            guard.fetch("s3://bucket/key", tmp_path)
    assert message in str(error.value) and "AKIA" not in str(error.value)


def test_what_everybody_may_read_is_asked_for_without_a_signature(known: Credentials, tmp_path: Path) -> None:
    heard: list[Any] = []
    with pages({"/bucket/key": (200, {}, b"open"), "/bucket/no": error("AccessDenied")}, heard) as url:
        known.add(Credential("open", "s3://bucket", "s3", endpoint=url))
        guard = Guard(allow=["127.0.0.1"], access=TenantAccess(known))
        assert guard.fetch("s3://bucket/key", tmp_path).path.read_bytes() == b"open"
        with pytest.raises(Unreachable, match="it is not public, and no credential of this server is for it"):
            guard.fetch("s3://bucket/no", tmp_path)
    assert not [name for headers in heard for name in headers if name.lower().startswith(("auth", "x-amz"))]


# --- directories


@pytest.fixture
def directories(guard: Guard, tmp_path: Path) -> Directories:
    places = iter(range(1000))
    (tmp_path / "fetched").mkdir()

    def place(name: str) -> Path:
        folder = tmp_path / str(next(places))
        folder.mkdir()
        return folder / name

    return Directories(lambda href: guard.fetch(href, tmp_path / "fetched"), place)


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


Put = Callable[..., None]


@pytest.fixture
def put(store: Store) -> Put:
    def objects(prefix: str, *names: str) -> None:
        for name in names:
            store.client.put_object(Bucket="many", Key=prefix + name, Body=name.encode())

    return objects


def test_a_prefix_is_a_directory(store: Store, known: Credentials, directories: Directories, put: Put) -> None:
    known.add(of(store))
    put("tree/", "a.txt", "b/c.txt", "b/d/e.txt", "b/", ".hidden", "x", "x/y.txt", "ä&<b>.txt")
    put("treehouse/", "no.txt")
    found = directories.fetch("s3://many/tree/")
    assert found.name == "tree"
    named = {"a.txt", "b/c.txt", "b/d/e.txt", "hidden", "x", "2-x/y.txt", "ä&<b>.txt"}
    assert set(files(found)) == named
    assert files(found)["b/d/e.txt"] == "b/d/e.txt"


def test_pages_of_a_list_follow_each_other(
    store: Store, known: Credentials, directories: Directories, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.add(of(store))
    put("pages/", *(f"{number}+&.txt" for number in range(7)))
    monkeypatch.setattr(s3, "LIST", "list-type=2&max-keys=3")
    monkeypatch.setattr(s3, "_READING", s3._READING | {"max-keys"})
    assert len(files(directories.fetch("s3://many/pages/"))) == 7


@pytest.mark.parametrize("href", ["s3://many/nothing/", "s3://nothing/here/"])
def test_an_empty_prefix_is_no_directory(
    store: Store, known: Credentials, directories: Directories, href: str
) -> None:
    known.add(of(store))
    with pytest.raises((ValueError, Unreachable), match="no objects below it|no such bucket"):
        directories.fetch(href)


@pytest.mark.parametrize("page", [
    b"", b"<a", b"<Other/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><ListBucketResult>&b;</ListBucketResult>",
    b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "<ListBucketResult/>".encode("utf-16"),
])  # fmt: skip
def test_what_is_no_list_is_refused(tmp_path: Path, page: bytes) -> None:
    (tmp_path / "page").write_bytes(page)
    with pytest.raises(ValueError, match="no list of objects"):
        s3.listed("s3://many/", tmp_path / "page")


def test_names_that_lead_out_lead_nowhere(known: Credentials, tmp_path: Path, directories: Directories) -> None:
    listing = "".join(f"<Contents><Key>p/{key}</Key></Contents>" for key in ("../../../etc/x", "a.txt"))
    page = f"<ListBucketResult>{listing}</ListBucketResult>".encode()
    heard: list[Any] = []
    with pages({"/box/?list-type=2&prefix=p%2F": (200, {}, page), "/box/p/a.txt": (200, {}, b"a")}, heard) as url:
        known.add(Credential("open", "s3://box", "s3", endpoint=url))
        guard = Guard(allow=["127.0.0.1"], access=TenantAccess(known))
        directories._fetch = lambda href: guard.fetch(href, tmp_path / "fetched")
        with pytest.raises(Refused, match="segments"):
            directories.fetch("s3://box/p/")


def test_a_catalog_in_a_bucket_comes_with_its_assets(
    store: Store, known: Credentials, directories: Directories
) -> None:
    known.add(of(store))
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "scene", "links": [], "assets": {
        "near": {"href": "./near.txt"}, "far": {"href": "s3://data/a.txt"}}}
    catalog = {"type": "Catalog", "stac_version": "1.0.0", "id": "c", "links": [{"rel": "item", "href": "i/item.json"}]}
    for key, body in (("cat/catalog.json", catalog), ("cat/i/item.json", item)):
        store.client.upload_fileobj(io.BytesIO(json.dumps(body).encode()), "many", key)
    store.client.put_object(Bucket="many", Key="cat/i/near.txt", Body=b"near")
    found = files(directories.fetch("s3://many/cat/catalog.json"))
    assert (found["scene/near.txt"], found["scene/a.txt"]) == ("near", "a.txt")
