"""JSON Web Tokens of an issuer: OpenID Connect, OAuth 2.0 access tokens. RFC 7519, RFC 8725, RFC 9068."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import jwt

from geomill.app import security, tenant_names
from geomill.app.config import Settings, SettingsError
from geomill.app.identity import keys
from geomill.app.identity.callers import Caller, Unauthenticated
from geomill.app.identity.roles import Role

LONGEST = 8192  # characters of a token
LONGEST_NAME = 128
LEEWAY = 30  # seconds that clocks may differ
TYPES = ("jwt", "at+jwt", "application/at+jwt")
NAMED = "oidc:"  # what names of such callers begin with, so that none is that of a token of ours


class Issuer:
    """Whoever the settings trust to say who somebody is."""

    def __init__(self, settings: Settings) -> None:
        """settings: with oidc_issuer. Raises SettingsError for what is not enough, or not safe."""
        self.settings = settings
        if not settings.oidc_audience:
            raise SettingsError("oidc_audience: has to name this server, as tokens of oidc_issuer do; it is not set")
        for name in ("oidc_issuer", "oidc_keys"):
            parts = urlsplit(getattr(settings, name) or "https:")
            if parts.scheme != "https" and not security.is_loopback(parts.hostname or ""):
                raise SettingsError(f"{name}: expected an https address: whoever is in between could be anybody")
        self.keys = keys.KeyStore(lambda: keys.fetch(settings), settings.threads // 2)
        self.roles = dict(entry.rsplit("=", 1) for entry in settings.oidc_roles)

    def caller(self, text: str) -> Caller:
        """Who shows this token. Raises Unauthenticated for one that is not good, whatever is wrong with it."""
        try:
            claims = self._claims(text)
            return Caller(self._role(claims), self._name(claims), self._tenants(claims), "oidc")
        except Exception as error:  # what libraries make of garbage: it opens nothing, and is nobody's fault
            raise Unauthenticated("The token is not one that is good here.", invalid=True) from error

    def _claims(self, text: str) -> dict[str, Any]:
        """What a token says, once it is beyond doubt. Which algorithm counts is the key's to say, not the token's."""
        if len(text) > LONGEST:
            raise ValueError("it is too long")
        header = jwt.get_unverified_header(text)
        if "crit" in header or str(header.get("typ", TYPES[0])).lower() not in TYPES:
            raise ValueError("it is of another kind")
        key = self.keys.get(header["kid"])
        if key is None:
            raise LookupError("its key is unknown")
        claims: dict[str, Any] = jwt.decode(
            text,
            key,
            algorithms=[key.algorithm_name],
            audience=self.settings.oidc_audience,
            leeway=LEEWAY,
            options={"require": ["exp", "iss", "aud"], "verify_iss": False},
        )
        if not isinstance(claims["iss"], str) or claims["iss"].rstrip("/") != self.settings.oidc_issuer:
            raise ValueError("it is of another issuer")
        return claims

    def _name(self, claims: dict[str, Any]) -> str:
        name = claims[self.settings.oidc_name_claim]
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
            raise ValueError("it names nobody")
        return NAMED + name

    def _role(self, claims: dict[str, Any]) -> Role:
        """The highest role that a token gives; none is what anybody has."""
        given = texts(found(claims, self.settings.oidc_role_claim))
        named = [self.roles.get(each) if self.roles else each for each in given]
        known = {str(role): role for role in Role}
        return max((known[name] for name in named if name in known), default=Role.NONE)

    def _tenants(self, claims: dict[str, Any]) -> frozenset[str] | None:
        if self.settings.oidc_tenant_claim is None:
            return None
        given = texts(found(claims, self.settings.oidc_tenant_claim))
        return frozenset(name for name in given if name == tenant_names.DEFAULT or tenant_names.is_name(name))


def found(claims: Any, name: str) -> Any:
    """A claim, by its name or by a path with dots, such as realm_access.roles; None where there is none."""
    if isinstance(claims, dict) and name in claims:
        return claims[name]
    for part in name.split("."):
        claims = claims.get(part) if isinstance(claims, dict) else None
    return claims


def texts(value: Any) -> list[str]:
    """The texts of a claim: a list of them, or words with spaces between."""
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
