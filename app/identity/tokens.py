"""Tokens: who has one is known by its name. Kept in <home>/identity/tokens.json, without what would open anything.

A token is 256 random bits, so that its SHA-256 tells nobody what it is, and no guess is worth the time of asking. A
slow hash protects words that people choose; here it would only let strangers keep the processors busy.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from geomill.app.identity.callers import Caller
from geomill.app.identity.roles import GRANTED, Role
from geomill.jobstore import files
from geomill.jobstore.records import timestamp

FOLDER = "identity"  # in the home: what is known of callers, for the server alone
PREFIX = "gm_"  # by which people, and programs that look for lost secrets, recognise one
NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)
EXPECTED = 'at most 64 letters, digits and "._@+-", first a letter or digit'
_FORM = re.compile(rf"{PREFIX}([0-9a-f]{{8}})_([A-Za-z0-9_-]{{43}})", re.ASCII)
_NOTHING = "0" * 64  # the digest of no token
_REMEDY = "the server lets nobody in with one; restore the file from a backup"
log = logging.getLogger(__name__)


class TokenError(ValueError):
    """A token that cannot be made, or is not there; or a file of tokens that is none."""


@dataclass(frozen=True)
class Token:
    """What is kept of a token. tenant: where it is good, None for everywhere; digest: SHA-256 of all of it."""

    id: str
    name: str
    role: Role
    tenant: str | None
    digest: str
    created: datetime
    expires: datetime | None

    def expired(self, moment: datetime) -> bool:
        """Whether it is good no more."""
        return self.expires is not None and moment >= self.expires

    def caller(self, by: str) -> Caller:
        """Who shows it. by: as in Caller."""
        return Caller(self.role, self.name, frozenset([self.tenant]) if self.tenant else None, by, self.id)


class Tokens:
    """The tokens of a home; what another process changes counts with the next question."""

    def __init__(self, home: Path) -> None:
        """home: where they are kept, for all tenants; nothing is made."""
        self.path = home / FOLDER / "tokens.json"
        self._traces = self.path, self.path.with_suffix(".lock")  # the lock stays where the list was lost
        self._read: tuple[tuple[int, ...], dict[str, Token]] = ((), {})
        self._told = ""  # what was last said of a file that cannot be read

    def begun(self) -> bool:
        """Whether there ever was a token here. What cannot be looked at counts as one."""
        return _is_there(self.path.parent) and any(map(_is_there, self._traces))

    def find(self, text: str) -> Token | None:
        """The token that this is, if it is one and good. Costs one stat."""
        form = _FORM.fullmatch(text)
        kept = self._current().get(form[1]) if form else None
        digest = hashlib.sha256(text.encode()).hexdigest()
        same = hmac.compare_digest(digest, kept.digest if kept else _NOTHING)
        return kept if kept and same and not kept.expired(datetime.now(UTC)) else None

    def good(self, token_id: str) -> Token | None:
        """The token with this id, if it is still good."""
        kept = self._current().get(token_id)
        return kept if kept and not kept.expired(datetime.now(UTC)) else None

    def all(self) -> list[Token]:
        """All of them, the oldest first. Raises TokenError for a file that is none."""
        try:
            return [_token(each) for each in files.read_json(self.path)["tokens"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as error:
            raise TokenError(f"{self.path} is no list of tokens; {_REMEDY}, or remove it and make new ones") from error

    def check(self) -> None:
        """Raises TokenError for a file that is none, and for one that is not there any more."""
        self.all()
        if self.begun() and not self.path.exists():
            raise TokenError(f"{self.path} is missing, and there were tokens; {_REMEDY}, or make new ones")

    def create(self, name: str, role: Role, tenant: str | None, expires: datetime | None) -> str:
        """Make one: all of it, which is kept nowhere. Raises TokenError for a name that is none, or taken."""
        if not NAMES.fullmatch(name):
            raise TokenError(f"--name: expected {EXPECTED}, found {name!r}")
        with self._changing() as kept:
            if any(each.name == name for each in kept):
                raise TokenError(f"there is a token {name!r} already; revoke it first, or choose another name")
            token_id = secrets.token_hex(4)
            while any(each.id == token_id for each in kept):
                token_id = secrets.token_hex(4)
            text = f"{PREFIX}{token_id}_{secrets.token_urlsafe(32)}"
            digest = hashlib.sha256(text.encode()).hexdigest()
            kept.append(Token(token_id, name, role, tenant, digest, datetime.now(UTC), expires))
        return text

    def revoke(self, name: str) -> None:
        """Let a token be good no more, from now on. Raises TokenError for one that is not there."""
        if not self.begun():
            raise TokenError(f"there is no token {name!r}, nor any other")
        with self._changing() as kept:
            found = [each for each in kept if each.name == name]
            if not found:
                raise TokenError(f"there is no token {name!r}; `geomill token ls` lists them")
            kept.remove(found[0])

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """The tokens, written back whole when nothing was raised; by one at a time."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock"), mode=0o600):
            kept = self.all()
            yield kept
            files.write_json(self.path, {"tokens": [_members(each) for each in kept]}, durable=True)
            files.sync(self.path.parent)

    def _current(self) -> dict[str, Token]:
        """By id; read again only when the file is another. One that cannot be read has none, which is logged once."""
        try:
            found = os.stat(self.path)
            mark = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
            if mark != self._read[0]:
                self._read = (mark, {each.id: each for each in self.all()})
                self._told = ""
            return self._read[1]
        except FileNotFoundError:
            self._tell(f"{self.path} is missing; {_REMEDY}, or make new ones" if self.begun() else "")
        except (OSError, TokenError) as error:
            self._tell(str(error))
        return {}

    def _tell(self, trouble: str) -> None:
        """Log why no token is known, when that is another reason than the last time."""
        if trouble != self._told:
            self._told = trouble
            if trouble:
                log.error("no token is known: %s", trouble)


def _members(token: Token) -> dict[str, Any]:
    times = {"created": timestamp(token.created), "expires": timestamp(token.expires) if token.expires else None}
    return {**vars(token), "role": str(token.role), **times}


def _is_there(path: Path) -> bool:
    """Whether there is a file; what cannot be looked at counts as one."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def _token(members: dict[str, Any]) -> Token:
    """What _members wrote. Raises ValueError, KeyError, TypeError for what is none."""
    if members["role"] not in GRANTED:
        raise ValueError(members["role"])
    expires = members["expires"]
    return Token(
        id=str(members["id"]),
        name=str(members["name"]),
        role=Role[members["role"].upper()],
        tenant=members["tenant"],
        digest=str(members["digest"]),
        created=datetime.fromisoformat(members["created"]),
        expires=datetime.fromisoformat(expires) if expires is not None else None,
    )
