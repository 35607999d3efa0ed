"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from geomill.app.identity.roles import Right, Role

REALM = 'Bearer realm="geomill"'


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request.

    name: what Job.owner says of his jobs, "" for who is nobody in particular; tenants: where he is known, None for
    everywhere; by: what he showed: "token", "session" or "oidc", "local" for a command on this host, "" for nothing;
    token: the id of the token that he showed.
    """

    role: Role
    name: str = ""
    tenants: frozenset[str] | None = None
    by: str = ""
    token: str = ""

    def owns(self, owner: str) -> bool:
        """Whether the jobs of this owner are his to change; who is nobody shares those of nobody."""
        return self.role is Role.ADMIN or owner == self.name

    def is_known_in(self, tenant: str) -> bool:
        """Whether what he showed is good for a tenant."""
        return self.tenants is None or tenant in self.tenants

    def may(self, right: Right) -> bool:
        """Whether he has a right, in a tenant where he is known."""
        known_everywhere = self.tenants is None and (bool(self.by) or self.role is Role.ADMIN)
        return self.role >= right.role and (known_everywhere or not right.everywhere)

    def elsewhere(self, role: Role) -> Caller:
        """The same caller where he is not known: nobody in particular, who may what anybody may.

        RFC 9110, 15.5.4: credentials are not enough where some are needed; they take nothing away.
        """
        return replace(self, role=role, name="")

    def at_least(self, role: Role) -> Caller:
        """The same caller, who may what anybody may."""
        return self if self.role >= role else replace(self, role=role)


class Unauthenticated(Exception):
    """Nobody in particular asks for what is not for everybody, or with credentials that are none. RFC 6750, 3."""

    def __init__(self, text: str, *, invalid: bool = False) -> None:
        """invalid: credentials came, and are no good."""
        super().__init__(text)
        self.invalid = invalid
        self.challenge = f'{REALM}, error="invalid_token", error_description="{text}"' if invalid else REALM


class Forbidden(Exception):
    """Who asks is known, and may not. RFC 6750, 3.1."""

    def __init__(self, text: str, needed: Role | None = None) -> None:
        """needed: the role that would do."""
        super().__init__(text)
        self.challenge = f'{REALM}, error="insufficient_scope", scope="{needed}"' if needed is not None else None


class ChangesRefused(Exception):
    """The server is open to a network and knows nobody."""
