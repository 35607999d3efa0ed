"""Named credentials of a tenant: what a request of ours may say at an address, and at no other.

They are in `<home>/<tenant>/credentials.json`, for the server's user alone, and nowhere else: no record of a job, no
log and no message has them.
"""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from geomill.app.guard import PORTS, Target, parse_host
from geomill.jobstore import files

FILE = "credentials.json"
LARGEST = 2**20  # bytes of that file
LONGEST = 16_384  # characters of a secret; a token of an identity provider can have thousands
KINDS = ("bearer", "basic", "header", "s3")
STYLES = ("path", "virtual")
AWS_REGION = "us-east-1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)  # RFC 9110, 5.6.2
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", re.ASCII)
# what says where a request goes and how long it is, is no credential
_OF_CONNECTIONS = re.compile(
    r"host|content-.*|transfer-encoding|connection|te|trailer|upgrade|expect|keep-alive|accept.*|range|proxy-.*",
    re.IGNORECASE,
)


class CredentialError(ValueError):
    """A credential that is malformed, or a file of them that cannot be used; one sentence without a secret in it."""


@dataclass(frozen=True)
class Pattern:
    """Which addresses a credential is for.

    scheme: https, http or s3; host: in lower case, or a bucket; below: the hosts below it instead of itself, for a
    bucket any; path: what paths have to begin with, as whole segments.
    """

    scheme: str
    host: str
    port: int
    path: str
    below: bool = False

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read "host", "*.host", "host:port", "https://host/path/", "http://..." or "s3://bucket/prefix".

        Without a scheme it is https. Raises CredentialError.
        """
        scheme, separator, rest = text.strip().rpartition("://")
        scheme = scheme.lower() if separator else "https"
        authority, _, path = rest.partition("/")
        if scheme not in (*PORTS, "s3") or re.search(r"[\x00-\x20\x7f\\?#@%]", rest) or not rest.isascii():
            raise _no_pattern(text)
        if has_dots(path):
            raise CredentialError(f"{text}: a path here has no empty, . or .. segments")
        if scheme == "s3":
            if authority != "*" and not _BUCKET.fullmatch(authority):
                raise CredentialError(f"{text}: expected s3://bucket, s3://bucket/prefix/ or s3://*")
            return cls("s3", authority, 0, path, below=authority == "*")
        below, authority = authority.startswith("*"), authority.removeprefix("*.")
        if authority == "*":
            raise _too_wide(text)
        try:
            parts = urlsplit(f"//{authority}")
            port = PORTS[scheme] if parts.port is None else parts.port
            host, literal = parse_host(parts.netloc, parts.hostname or "")
        except ValueError as error:
            raise CredentialError(f"{text}: {error}") from None
        if below and (literal or "." not in host):
            raise _too_wide(text)
        return cls(scheme, host, port, f"/{path}", below)

    def matches(self, scheme: str, host: str, port: int, path: str) -> bool:
        """Whether an address is one of these. path: decoded; one that could mean another place fits no narrower path.

        host: as the guard gives it: lower case, no final dot, nothing but a plain name or an IP address.
        """
        if (scheme, port) != (self.scheme, self.port):
            return False
        if self.below:
            if scheme != "s3" and not host.endswith(f".{self.host}"):
                return False
        elif host != self.host:
            return False
        start = self.path.rstrip("/")
        return not start or (not has_dots(path) and (path == self.path or path.startswith(f"{start}/")))

    @property
    def weight(self) -> tuple[bool, int, int]:
        """The heavier of two that match counts: a host itself before those below one, then the longer."""
        return not self.below, len(self.host), len(self.path.rstrip("/"))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port not in (0, PORTS.get(self.scheme)) else ""
        wild = "*." if self.below and self.scheme != "s3" else ""
        return f"{self.scheme}://{wild}{host}{port}/{self.path.removeprefix('/')}"


@dataclass(frozen=True)
class Credential:
    """One credential. kind: bearer (secret: a token), basic (user and password), header (secret: its value) or s3.

    user: of basic, or the access key id of s3, where none means that everybody may read; header: a name;
    endpoint: of the object store, none for AWS; region: AWS's name of it; style: where the bucket stands, in the
    "path" or as the first label of the host ("virtual"); session: the token that goes with temporary keys.
    """

    name: str
    pattern: str
    kind: str
    secret: str = field(default="", repr=False)
    user: str | None = None
    header: str | None = None
    endpoint: str | None = None
    region: str | None = None
    style: str | None = None
    session: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raises CredentialError."""
        for each in fields(self):
            value = getattr(self, each.name)
            if not isinstance(value, str) and (value is not None or each.name in ("name", "pattern", "kind", "secret")):
                raise CredentialError(f"{each.name}: expected a text")
        if not _NAME.fullmatch(self.name):
            raise CredentialError(f"{self.name!r}: a name has at most 64 letters, digits, '.', '_' and '-'")
        if self.kind not in KINDS:
            raise CredentialError(f"{self.kind!r}: a credential is one of {', '.join(KINDS)}")
        if (Pattern.parse(self.pattern).scheme == "s3") != (self.kind == "s3"):
            raise CredentialError(f"{self.pattern}: S3 keys are for s3://bucket, and for nothing else")
        self._check_secret()
        header = self.header or ""
        if self.kind == "header" and (not _TOKEN.fullmatch(header) or _OF_CONNECTIONS.fullmatch(header)):
            raise CredentialError(f"{self.header!r}: this cannot be the name of a header with a credential")
        if self.kind == "basic" and (not self.user or ":" in self.user or not self.user.isprintable()):
            raise CredentialError("the user of basic authentication needs a name, without a colon")
        if self.kind == "s3":
            self._check_store()

    def _check_secret(self) -> None:
        """Nothing that ends a header, and no secret that was cut off or forgotten."""
        for secret in filter(None, (self.secret, self.session)):
            fits = secret.isprintable() if self.kind == "basic" else _VISIBLE.fullmatch(secret)
            if not fits or len(secret) > LONGEST:
                raise CredentialError(f"the secret has characters that it cannot have, or more than {LONGEST}")
        if not self.secret and (self.kind != "s3" or self.user):
            raise CredentialError("the secret is empty")

    def _check_store(self) -> None:
        if self.user is not None and not _VISIBLE.fullmatch(self.user):
            raise CredentialError("the access key id has characters that it cannot have")
        if self.style not in (None, *STYLES):
            raise CredentialError(f"{self.style!r}: the bucket stands in the path or is virtual")
        if not re.fullmatch(r"[a-z0-9-]{1,64}", self.region or AWS_REGION, re.ASCII):
            raise CredentialError(f"{self.region!r}: a region has lower case letters, digits and '-'")
        if self.endpoint is not None:
            where = Pattern.parse(self.endpoint)
            if "://" not in self.endpoint or where.scheme == "s3" or where.below or where.path != "/":
                raise CredentialError(f"{self.endpoint}: an endpoint is https://host or http://host:port")

    @property
    def where(self) -> Pattern:
        """Which addresses it is for."""
        return Pattern.parse(self.pattern)

    def headers(self) -> dict[str, str]:
        """What a request says, of every kind but s3, which has to be signed for one request alone."""
        if self.kind == "bearer":
            return {"Authorization": f"Bearer {self.secret}"}
        if self.kind == "basic":
            return {"Authorization": f"Basic {base64.b64encode(f'{self.user}:{self.secret}'.encode()).decode()}"}
        return {str(self.header): self.secret}


def chosen(credentials: Iterable[Credential], target: Target) -> Credential | None:
    """The credential that a request says, of every kind but s3: the longest match counts. target: as it was checked."""
    path = decoded(target.path.partition("?")[0])
    fitting = [
        each
        for each in credentials
        if each.kind != "s3" and each.where.matches(target.scheme, target.host, target.port, path)
    ]
    return max(fitting, key=lambda each: each.where.weight, default=None)


class Credentials:
    """The credentials of a tenant, in their file."""

    def __init__(self, path: Path) -> None:
        """path: of the file, which need not be there."""
        self.path = path

    def all(self) -> dict[str, Credential]:
        """All of them, by their names. Raises CredentialError for a file that somebody else could read or write."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CredentialError(f"{FILE} cannot be read: {error.strerror}") from error
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise CredentialError(f"{FILE} is open to others, belongs to another user, or is no file: chmod 600 it")
            with open(descriptor, "rb", closefd=False) as file:
                return _loaded(file.read(LARGEST + 1))
        finally:
            os.close(descriptor)

    def add(self, credential: Credential) -> None:
        """Keep one, in place of what has its name. Raises CredentialError where another is for the same addresses."""
        with self._changing() as known:
            for other in known.values():
                if other.name != credential.name and other.where == credential.where:
                    raise CredentialError(f"{other.name} is for {credential.where} already; remove it first")
            known[credential.name] = credential

    def remove(self, name: str) -> None:
        """Forget one. Raises CredentialError."""
        with self._changing() as known:
            if name not in known:
                raise CredentialError(f"there is no credential {name!r}")
            del known[name]

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Credential]]:
        """The credentials, written when the block ends: by one at a time, as a whole, and brought to disk."""
        import fcntl

        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            owner = os.fstat(folder).st_uid
            if owner != os.geteuid():
                raise CredentialError(f"{self.path.parent} belongs to user {owner}: run this as that user")
            fcntl.flock(folder, fcntl.LOCK_EX)  # no file of its own in the home for that
            known = self.all()
            yield known
            content = {
                name: {key: value for key, value in asdict(each).items() if value is not None and key != "name"}
                for name, each in sorted(known.items())
            }
            files.write_json(self.path, content, durable=True)
            os.fsync(folder)
        finally:
            os.close(folder)


def decoded(path: str) -> str:
    """A path without any percent-encoding, be it several times over: what a careless server may make of it."""
    for _ in range(8):
        path, before = unquote(path, errors="replace"), path
        if path == before:
            break
    return path


def has_dots(path: str) -> bool:
    """Whether a path could mean another place than it seems to, for who resolves . and .. or squeezes slashes."""
    segments = path.replace("\\", "/").strip("/").split("/")
    return any(segment in (".", "..") or (not segment and len(segments) > 1) for segment in segments)


def _loaded(content: bytes) -> dict[str, Credential]:
    import json

    try:
        given: Any = json.loads(content)
        if len(content) > LARGEST or not isinstance(given, Mapping):
            raise CredentialError(f"{FILE} is too large, or no JSON object")
        known = {each.name for each in fields(Credential)}
        return {
            str(name): Credential(name, **{key: value for key, value in members.items() if key in known})
            for name, members in given.items()
        }
    except CredentialError:
        raise
    except (ValueError, TypeError, AttributeError):  # whose text could show what is in there
        raise CredentialError(f"{FILE} is not what `geomill credential` writes") from None


def _too_wide(text: str) -> CredentialError:
    return CredentialError(f"{text}: too much would match; name at least two labels, as in *.example.org")


def _no_pattern(text: str) -> CredentialError:
    forms = "host, *.host, host:port, https://host/path/, http://host/ or s3://bucket/prefix/"
    return CredentialError(f"{text!r}: expected {forms}, in ASCII, without user name, query or %")
