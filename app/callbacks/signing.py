"""How a receiver knows that a callback is ours, and drops repeats: the headers of Standard Webhooks.

Source: https://www.standardwebhooks.com, version 1: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from geomill.app.identity.own_key import Key
from geomill.app.identity.tokens import FOLDER

KEY = "callbacks.key"


class Signing:
    """Signs for every caller by a secret of his own; all of them follow from one key of the home."""

    def __init__(self, home: Path) -> None:
        self._key = Key(home / FOLDER / KEY)

    def secret(self, tenant: str, owner: str) -> str:
        """What this caller's receivers check signatures with, as libraries for that take it: whsec_<base64>."""
        return "whsec_" + base64.b64encode(self._bytes(tenant, owner)).decode()

    def headers(self, tenant: str, owner: str, message_id: str, seconds: int, body: bytes) -> dict[str, str]:
        """What stands in the head of a callback. seconds: since 1970, when it is sent."""
        content = f"{message_id}.{seconds}.".encode() + body
        signature = hmac.new(self._bytes(tenant, owner), content, hashlib.sha256).digest()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        }

    def _bytes(self, tenant: str, owner: str) -> bytes:
        return self._key.signed("callbacks", f"{tenant}\0{owner}")
