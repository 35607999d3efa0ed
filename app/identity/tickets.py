"""Tickets: for clients that show who they are in an address, where a token must not stand.

A ticket names a token and holds none. It is good for some minutes, from one place, and as long as its token: revoked,
that ends both. Nothing is kept of it.
"""

from __future__ import annotations

import base64
import hmac
import re
import time
from dataclasses import dataclass
from pathlib import Path

from geomill.app.identity.own_key import Key
from geomill.app.identity.sessions import SESSION_KEY
from geomill.app.identity.tokens import FOLDER

TICKET = "geomill.ticket"  # in the environ: the ticket that a request shows, if it is one or not
PREFIX = "gt_"
LONGEST = 500  # characters of a referer
_PURPOSE = "ticket"
_FORM = re.compile(rf"{PREFIX}([0-9a-f]{{8}})\.([0-9]{{1,12}})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]{{43}})", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where a ticket is good: for requests of a page, by what Referer says, or else those from an address."""

    referer: str = ""
    address: str = ""

    def has(self, referer: str, address: str) -> bool:
        """Whether a request comes from there. A page may say only how its address begins, and lie below what is named.

        RFC 9110, 10.1.3; Referrer Policy, 3
        """
        if not self.referer:
            return address == self.address
        below = referer[len(self.referer) :]
        return referer.startswith(self.referer) and (not below or self.referer[-1] == "/" or below[0] in "/?#")


class Tickets:
    """Signs tickets, and knows those that it signed: in every worker, and after a restart."""

    def __init__(self, home: Path) -> None:
        """home: whose key of sessions signs them, too."""
        self._key = Key(home / FOLDER / SESSION_KEY)

    def give(self, token_id: str, until: float, place: Place) -> str:
        """A ticket. until: seconds since 1970."""
        bound = base64.urlsafe_b64encode(f"{place.referer}\n{place.address}".encode()).decode().rstrip("=")
        content = f"{token_id}.{int(until)}.{bound}"
        return f"{PREFIX}{content}.{self._key.signature(_PURPOSE, content)}"

    def token(self, ticket: str, referer: str, address: str) -> str | None:
        """The id of the token that a ticket names, if we gave it, its time is not over, and it is good there."""
        form = _FORM.fullmatch(ticket)
        if form is None:
            return None
        signature = self._key.signature(_PURPOSE, f"{form[1]}.{form[2]}.{form[3]}")
        if not hmac.compare_digest(form[4], signature):
            return None
        bound = base64.urlsafe_b64decode(form[3] + "=" * (-len(form[3]) % 4)).decode()
        place = Place(*bound.rsplit("\n", 1))
        return form[1] if int(form[2]) > time.time() and place.has(referer, address) else None
