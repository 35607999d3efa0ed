"""Object stores that speak S3: where an object is on the web, what a signed request says, what a refusal means.

The signature is AWS's version 4. Nothing here connects.
Sources: docs.aws.amazon.com/AmazonS3, "Authenticating requests: using the Authorization header", "Error responses".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from geomill.app.credentials import AWS_REGION, Credential, Pattern, decoded, has_dots
from geomill.app.exchange.addresses import S3
from geomill.app.guard import PORTS, Refused, Target, phrase, shown

LIST = "list-type=2"
LARGEST_PAGE = 2**23  # bytes; a page lists a thousand keys of 1024 bytes at most
_UNRESERVED = "-_.~"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)  # what a certificate for *.host is valid for
# the questions of a GET that is signed: an object and what lies below a prefix, but no policies, no access lists
_READING = frozenset({"list-type", "prefix", "continuation-token", "versionId"})
ANONYMOUS = Credential("anonymous", "s3://*", "s3")


@dataclass(frozen=True)
class Place:
    """An object, or what a listing is of. key: decoded."""

    bucket: str
    key: str


def is_s3(href: str) -> bool:
    """Whether an address names an object by its bucket and key."""
    return href[: len(S3)].lower() == S3


def address(href: str, credentials: Iterable[Credential]) -> str:
    """The web address of s3://bucket/key, or of a page of s3://bucket/prefix/?list-type=2. Raises Refused."""
    place, query = _parts(href)
    if not query and (not place.key or place.key.endswith("/")):
        raise Refused(f"{shown(href)} is refused: it names a prefix, which only a directory can be.")
    return url(place, query, chosen(credentials, place) or ANONYMOUS)


def check(href: str, credentials: Iterable[Credential]) -> str:
    """The same, of an object or a prefix."""
    key = href[len(S3) :].partition("/")[2]
    return address(listing(href) if not key or key.endswith("/") else href, credentials)


def place(href: str) -> Place:
    """What an address names, be it a prefix. Raises Refused."""
    return _parts(href)[0]


def listing(href: str, token: str = "") -> str:
    """The address of a list of what lies below a prefix; token: of the next page, as the one before gives it."""
    more = f"&continuation-token={quote(token, safe=_UNRESERVED)}" if token else ""
    place, _ = _parts(href.partition("?")[0])
    key = quote(place.key, safe=f"/{_UNRESERVED}")
    return f"{S3}{place.bucket}/{key}?{LIST}{more}"


def below(href: str, name: str) -> str:
    """The address of an object below a prefix. name: as `listed` gives it."""
    return f"{href}{quote(name, safe=f'/{_UNRESERVED}')}"


def listed(href: str, page: Path) -> tuple[list[str], str | None]:
    """The objects on a page of a listing, by their names below the prefix, and the token of the next page, if any.

    Raises ValueError for what is no such page. Source: AWS S3 API, ListObjectsV2.
    """
    from xml.etree import ElementTree  # not for those who list nothing

    if page.stat().st_size > LARGEST_PAGE:
        raise ValueError("is no list of objects, but too large for one")
    prefix, content = _parts(href)[0].key, page.read_bytes()
    try:
        if b"<!" in content:  # no entities, which could grow, or name files of ours
            raise ValueError
        root = ElementTree.fromstring(content.decode())  # noqa: S314  neither entities nor large
    except (ValueError, ElementTree.ParseError):
        raise ValueError("is no list of objects, as S3 gives it") from None
    keys = [str(each.text) for each in root.findall("{*}Contents/{*}Key") if (each.text or "").startswith(prefix)]
    more = root.findtext("{*}IsTruncated") == "true"
    token = root.findtext("{*}NextContinuationToken")
    if not root.tag.endswith("ListBucketResult") or (more and not token):
        raise ValueError("is no list of objects, as S3 gives it")
    names = [key.removeprefix(prefix) for key in keys]
    return [name for name in names if name and not name.endswith("/")], token if more else None


def url(place: Place, query: str, credential: Credential) -> str:
    """The web address of a place in the store that a credential is for."""
    scheme, host, virtual = _store(credential, place.bucket)
    key, parameters = place.key, ""
    if query:  # of a listing, whose prefix is no path
        parameters, key = "?" + _canonical([*parse_qsl(query), ("prefix", key)]), ""
    path = quote(key if virtual else f"{place.bucket}/{key}", safe=f"/{_UNRESERVED}")
    return f"{scheme}://{f'{place.bucket}.{host}' if virtual else host}/{path}{parameters}"


def chosen(credentials: Iterable[Credential], place: Place) -> Credential | None:
    """The credential for a place: the longest match counts."""
    fitting = [
        each for each in credentials if each.kind == "s3" and each.where.matches("s3", place.bucket, 0, place.key)
    ]
    return max(fitting, key=lambda each: each.where.weight, default=None)


def signer(credentials: Iterable[Credential], target: Target) -> Credential | None:
    """The credential to sign a GET of a checked address with, however the address was spelled.

    None where it asks for more than objects, is signed already, or is in no store that there are keys for.
    """
    of_s3 = [each for each in credentials if each.kind == "s3"]
    path, _, query = target.path.partition("?")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if not of_s3 or not _READING.issuperset(asked) or has_dots(decoded(path)):
        return None
    fitting = []
    for each in of_s3:
        place = _placed(each, target, unquote(path), asked.get("prefix", "") if "list-type" in asked else None)
        if place is not None and chosen(of_s3, place) is each:
            fitting.append(each)
    return fitting[0] if fitting and fitting[0].user else None


def sign(
    credential: Credential,
    method: str,
    target: Target,
    body: bytes = b"",
    now: datetime | None = None,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers of a signed request. target: as it was checked; more: headers to sign as well, in lower case."""
    moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{credential.region or AWS_REGION}/s3/aws4_request"
    host = f"[{target.host}]" if ":" in target.host else target.host
    headers = {"host": host if target.port == PORTS[target.scheme] else f"{host}:{target.port}"}
    headers |= more or {}
    headers |= {"x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": moment}
    if credential.session:
        headers["x-amz-security-token"] = credential.session
    path, _, query = target.path.partition("?")
    names = ";".join(sorted(headers))
    request = [
        method,
        quote(unquote(path), safe=f"/{_UNRESERVED}"),
        _canonical(parse_qsl(query, keep_blank_values=True)),
        *(f"{name}:{headers[name]}" for name in sorted(headers)),
        "",
        names,
        headers["x-amz-content-sha256"],
    ]
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256("\n".join(request).encode()).hexdigest()])
    key = f"AWS4{credential.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    said = f"Credential={credential.user}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {said}"}


def trouble(status: int, headers: Mapping[str, str], body: bytes, credential: Credential | None) -> str:
    """What a refusal of a store means, as the end of a sentence. Its own words may repeat what was signed: they stay.

    credential: that was used, if any.
    """
    found = re.search(rb"<Code>([A-Za-z0-9]{1,64})</Code>", body[:4096])
    code = found[1].decode() if found else ""
    region = headers.get("x-amz-bucket-region", "")
    if not region and (named := re.search(rb"<Region>([a-z0-9-]{1,64})</Region>", body[:4096])):
        region = named[1].decode()
    elsewhere = status in (301, 302, 307, 308) or code in (
        "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"
    )  # fmt: skip
    ours = f"the credential {credential.name}" if credential else "no credential of this server"
    if elsewhere:
        place = f"in the region {region}" if re.fullmatch("[a-z0-9-]+", region) else "elsewhere"
        return f"its bucket is {place}, and {ours} says so"
    if code == "NoSuchBucket" or (status == 404 and code == ""):
        return "there is no such bucket" if code else "there is nothing there"
    if code == "NoSuchKey":
        return "there is no such object in the bucket"
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"):
        return f"the store does not accept {ours} ({code})"
    if code == "RequestTimeTooSkewed":
        return "the clock of this host is wrong by minutes"
    if status in (401, 403):
        if credential and credential.user:
            return f"the store refuses it: {ours} does not allow it"
        return f"the store refuses it: it is not public, and {ours} is for it"
    return f"it answered {status} {code or phrase(status)}".strip()


def _parts(href: str) -> tuple[Place, str]:
    """Bucket, key and query of an address. Raises Refused."""
    rest, _, query = href[len(S3) :].partition("?")
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise Refused(f"{shown(href)} is refused: expected s3://bucket/key, with the name of a bucket.")
    if "#" in rest or (query and query != LIST and not query.startswith(f"{LIST}&continuation-token=")):
        raise Refused(f"{shown(href)} is refused: ? and # in a key are written as %3F and %23.")
    try:
        key = unquote(key, errors="strict")
    except UnicodeDecodeError:
        raise Refused(f"{shown(href)} is refused: its key is not in UTF-8.") from None
    if has_dots(decoded(key)) or re.search(r"[\x00-\x1f\x7f]", key) or len(key.encode()) > 1024:
        raise Refused(f"{shown(href)} is refused: its key is too long, or has empty, . or .. segments.")
    return Place(bucket, key), query


def _store(credential: Credential, bucket: str) -> tuple[str, str, bool]:
    """Scheme and host of a store, and whether a bucket stands before its host."""
    if credential.endpoint is None:
        host = f"s3.{credential.region}.amazonaws.com" if credential.region else "s3.amazonaws.com"
        return "https", host, _LABEL.fullmatch(bucket) is not None and credential.style != "path"
    parts = urlsplit(str(Pattern.parse(credential.endpoint)))
    return parts.scheme, parts.netloc, credential.style == "virtual"


def _placed(credential: Credential, target: Target, path: str, prefix: str | None) -> Place | None:
    """What an address names in the store of a credential; None when it is none of it. prefix: of a listing."""
    scheme, netloc, _ = _store(credential, "bucket")
    parts = urlsplit(f"{scheme}://{netloc}")
    if (target.scheme, target.port) != (scheme, parts.port or PORTS[scheme]):
        return None
    host, path = parts.hostname or "", path.removeprefix("/")
    bucket, _, key = path.partition("/")
    if target.host != host:
        if not target.host.endswith(f".{host}"):
            return None
        bucket, key = target.host.removesuffix(f".{host}"), path
        if not _store(credential, bucket)[2]:
            return None
    return Place(bucket, key if prefix is None else prefix) if prefix is None or not key else None


def _canonical(query: Iterable[tuple[str, str]]) -> str:
    """A query in the one form that is signed."""
    return "&".join(
        f"{name}={value}"
        for name, value in sorted((quote(n, safe=_UNRESERVED), quote(v, safe=_UNRESERVED)) for n, v in query)
    )
