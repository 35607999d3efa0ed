"""The public keys of an issuer of JSON Web Tokens (JWKS, RFC 7517), kept, and fetched again for new ones."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from geomill.app.config import Settings
from geomill.app.guard import Guard

ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}  # by kty and crv
SMALLEST = 2048  # bits of an RSA key
LARGEST = 2**20  # bytes of a document of an issuer
TIMEOUT = 5.0  # seconds for one of them
PATIENCE = 5.0  # seconds that a request waits for keys, from when they were asked for
STALE = 600.0  # seconds after which keys are fetched again, while the old ones still count
PAUSE = 10.0  # seconds between two times that keys are asked for
log = logging.getLogger(__name__)

Keys = dict[str, jwt.PyJWK]


class KeyStore:
    """Keys by their id. They are fetched in a thread, whatever that meets; the old ones count until there are new."""

    def __init__(self, fetch: Callable[[], Keys], waiting: int, pause: float = PAUSE) -> None:
        """fetch: gets them anew, or raises; pause: seconds between two times.

        waiting: requests that may wait for it; others are told no, so that a slow issuer holds no server up.
        """
        self.fetch, self.pause = fetch, pause
        self._keys: Keys = {}
        self._lock, self._seats = threading.Lock(), threading.BoundedSemaphore(waiting)
        self._over = threading.Event()  # set while no fetch is under way
        self._over.set()
        self._begun = self._fetched = float("-inf")

    def get(self, key_id: str) -> jwt.PyJWK | None:
        """The key of this id; one that is not known yet is asked for."""
        key = self._keys.get(key_id)
        if key is None:
            self._refresh()
            self._wait()
            return self._keys.get(key_id)
        if time.monotonic() - self._fetched > STALE:
            self._refresh()
        return key

    def _refresh(self) -> None:
        """Begin to fetch, unless somebody does or did so a moment ago."""
        with self._lock:
            now = time.monotonic()
            if not self._over.is_set() or now - self._begun < self.pause:
                return
            self._begun = now
            self._over.clear()
        try:
            threading.Thread(target=self._run, name="issuer", daemon=True).start()
        except RuntimeError:  # there is none to be had, and nobody fetches
            self._over.set()
            raise

    def _wait(self) -> None:
        if self._seats.acquire(blocking=False):
            try:
                self._over.wait(max(0.0, self._begun + PATIENCE - time.monotonic()))
            finally:
                self._seats.release()

    def _run(self) -> None:
        try:
            self._keys, self._fetched = self.fetch(), time.monotonic()
        except Exception as error:  # whatever an issuer answers: the keys that there are go on
            log.warning("the keys of the issuer cannot be fetched: %s", error)
        finally:
            self._over.set()


def fetch(settings: Settings) -> Keys:
    """The keys that the issuer of the settings has now. Raises OSError, ValueError."""
    issuer = settings.oidc_issuer or ""
    listed = [urlsplit(address).netloc for address in (issuer, settings.oidc_keys or "") if address]
    guard = Guard((*settings.allow, *listed), LARGEST, TIMEOUT)
    address = settings.oidc_keys
    if address is None:
        found = _document(guard, f"{issuer}/.well-known/openid-configuration")
        if str(found.get("issuer")).rstrip("/") != issuer:  # OpenID Connect Discovery 1.0, 4.3
            raise ValueError(f"its configuration is that of another issuer, {str(found.get('issuer'))[:200]!r}")
        address = str(found["jwks_uri"])
    keys = {}
    for each in _document(guard, address)["keys"]:
        if (key := _key(each)) is not None:
            keys[key.key_id or ""] = key
    return keys


def _document(guard: Guard, address: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="geomill-issuer-") as folder:
        return json.loads(guard.fetch(address, Path(folder)).path.read_bytes())


def _key(members: Any) -> jwt.PyJWK | None:
    """A key that tokens may be signed with; None for any other, such as a secret one."""
    try:
        algorithm = ALGORITHMS[members["kty"], members.get("crv")]
        if members.get("alg", algorithm) != algorithm or members.get("use", "sig") != "sig":
            return None
        key = jwt.PyJWK.from_dict({**members, "kid": str(members["kid"])}, algorithm)
        return key if getattr(key.key, "key_size", SMALLEST) >= SMALLEST or algorithm != "RS256" else None
    except Exception:  # of another kind, or malformed: no token is good by it
        return None
