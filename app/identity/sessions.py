"""Sessions of browsers: a signed cookie that names a token, and is good for as long as that is, at most some hours.

<home>/identity/session.key                       signs all of them
<home>/identity/ended/<end>-<digest of a cookie>  an empty file for each that was ended before its time, until then
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path

from geomill.app.identity.own_key import Key
from geomill.app.identity.tokens import FOLDER
from geomill.jobstore import files

SESSION_KEY = "session.key"
_FORM = re.compile(r"([0-9a-f]{8})\.([0-9]{1,12})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Sessions:
    """Signs sessions, and knows those that it signed: in every worker, and after a restart."""

    def __init__(self, home: Path, seconds: float) -> None:
        """seconds: how long one lasts."""
        self._key, self.seconds = Key(home / FOLDER / SESSION_KEY), seconds
        self.ended = home / FOLDER / "ended"

    def begin(self, token_id: str) -> str:
        """What the cookie of a new session says."""
        content = f"{token_id}.{int(time.time() + self.seconds)}.{secrets.token_urlsafe(12)}"
        return f"{content}.{self._signature(content)}"

    def token(self, cookie: str) -> str | None:
        """The id of the token that a session began with, if it is one of ours and not over. Costs one stat."""
        form = self._signed(cookie)
        if form is None:
            return None
        try:
            os.stat(self._mark(form))
        except FileNotFoundError:
            return form[1]
        return None

    def end(self, cookie: str) -> None:
        """Let a session be over in every worker, for whoever has this cookie; it stays so after a crash."""
        if (form := self._signed(cookie)) is None:
            return
        self.ended.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileExistsError):
            files.create(self._mark(form), b"", durable=False)
        files.sync(self.ended)
        for name in os.listdir(self.ended):  # those that are over by now need no mark
            if (end := name.partition("-")[0]).isdigit() and int(end) < time.time():
                (self.ended / name).unlink(missing_ok=True)

    def _signed(self, cookie: str) -> re.Match[str] | None:
        """A cookie that we signed, and whose time is not over."""
        form = _FORM.fullmatch(cookie)
        if form is None or not hmac.compare_digest(form[4], self._signature(f"{form[1]}.{form[2]}.{form[3]}")):
            return None
        return form if int(form[2]) > time.time() else None

    def _mark(self, form: re.Match[str]) -> Path:
        return self.ended / f"{form[2]}-{hashlib.sha256(form[0].encode()).hexdigest()}"

    def _signature(self, content: str) -> str:
        return self._key.signature("session", content)
