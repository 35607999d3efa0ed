"""Who we are, to the hosts that a tenant has credentials for: the guard asks here for every address it connects to."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from geomill.app import s3
from geomill.app.config import Settings
from geomill.app.credentials import FILE, Credential, CredentialError, Credentials, chosen
from geomill.app.egress.upstream import Upstream
from geomill.app.guard import Access, Guard, Refused, Target

if TYPE_CHECKING:
    from http.client import HTTPResponse

log = logging.getLogger(__name__)
# how an address says that it is signed itself; object stores refuse a request that is signed twice
_SIGNED = frozenset({"x-amz-signature", "x-goog-signature", "signature", "sig"})


class TenantAccess(Access):
    """The credentials of a tenant. They are read when they are first needed, and kept as long as this is."""

    def __init__(self, credentials: Credentials) -> None:
        """credentials: as they are on disk."""
        self._credentials = credentials

    @cached_property
    def _known(self) -> list[Credential]:
        try:
            return list(self._credentials.all().values())
        except CredentialError:
            told = "`geomill doctor` tells its operator why"
            raise Refused(f"The credentials of this server cannot be used; {told}.") from None

    def read(self) -> None:
        """Read them now, while there is the right to; what is wrong with them is said to who needs one."""
        with suppress(Refused):
            _ = self._known

    def check(self, href: str) -> str:
        """As above; s3: an object, or a prefix."""
        return s3.check(href, self._known) if s3.is_s3(href) else href

    def address(self, href: str) -> str:
        """As above; s3: an object, or a page of a listing."""
        return s3.address(href, self._known) if s3.is_s3(href) else href

    def headers(self, target: Target) -> Mapping[str, str]:
        """As above: of the one credential that fits best, unless the address is signed by who gave it."""
        if _is_signed(target):
            return {}
        if credential := s3.signer(self._known, target):
            return s3.sign(credential, "GET", target)
        return credential.headers() if (credential := chosen(self._known, target)) else {}

    def trouble(self, target: Target, response: HTTPResponse) -> str:
        """As above, and whether a credential was to blame."""
        from http.client import HTTPException  # a part of what has connected

        with suppress(OSError, HTTPException):
            start = response.read(4096)
            if b"<Error>" in start and b"<Code>" in start:
                said = {name.lower(): value for name, value in response.getheaders()}
                return s3.trouble(response.status, said, start, s3.signer(self._known, target))
        text = super().trouble(target, response)
        if response.status in (401, 403) and not _is_signed(target):
            ours = s3.signer(self._known, target) or chosen(self._known, target)
            text += f" to the credential {ours.name}" if ours else "; this server has no credential for it"
        return text


class Watched:
    """Says in the log, once, that the credentials of a tenant cannot be used; a look costs one stat."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[int, ...]] = {}

    def look(self, path: Path) -> None:
        """path: of the file, which need not be there."""
        try:
            found = os.lstat(path)
        except OSError:
            return
        mark = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        if self._seen.get(path) == mark:
            return
        self._seen[path] = mark
        try:
            Credentials(path).all()
        except CredentialError as error:
            log.error("no credential of the tenant %s is used: %s: %s", path.parent.name, path, error)


def access_of(settings: Settings, tenant: str) -> TenantAccess:
    """The access of a tenant."""
    return TenantAccess(Credentials(settings.home / tenant / FILE))


def open_guard(settings: Settings, tenant: str) -> Guard:
    """The guard of a tenant, who may fetch what the settings allow."""
    access, upstream = access_of(settings, tenant), Upstream.of(settings.upstream_proxy)
    return Guard(settings.allow, settings.max_fetch, upstream=upstream, access=access)


def _is_signed(target: Target) -> bool:
    query = target.path.partition("?")[2]
    return not _SIGNED.isdisjoint(name.lower() for name, _ in parse_qsl(query, keep_blank_values=True))
