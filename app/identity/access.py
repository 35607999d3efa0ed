"""Every request: who sent it, and whether he may. Nothing is answered before, but for what is public."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from flask import Request, Response, g, request

from geomill.app import loglines, operations, security
from geomill.app.addresses import TENANT
from geomill.app.asked import asked
from geomill.app.config import Settings, SettingsError
from geomill.app.identity.callers import Caller, ChangesRefused, Forbidden, Unauthenticated
from geomill.app.identity.roles import EXECUTE, PUBLIC, Right, Role
from geomill.app.identity.sessions import Sessions
from geomill.app.identity.tickets import TICKET, Tickets
from geomill.app.identity.tokens import PREFIX, Tokens
from geomill.app.security import CHANGES

if TYPE_CHECKING:
    from geomill.app.identity.oidc import Issuer
    from geomill.app.server import Geomill

LOCAL = "geomill.local"  # in the environ of a request that a command on this host makes without a socket
COMMAND = Caller(Role.ADMIN, by="local")
DEVELOPER = Caller(Role.ADMIN)  # anybody who reaches a server that serves this host alone, and knows nobody


class Identity:
    """Whom a server knows."""

    def __init__(self, settings: Settings) -> None:
        """settings: where tokens are kept, and what anybody may."""
        self.settings = settings
        self._for_this_host = security.for_this_host(settings)
        self.tokens = Tokens(settings.home)
        self.sessions = Sessions(settings.home, settings.session_time)
        self.tickets = Tickets(settings.home)
        self.anonymous = Caller(Role[settings.anonymous.upper()])
        self.issuer = _issuer(settings)
        # whether it knew anybody when it last looked: then it does for as long as it lives
        self.known = self.issuer is not None

    def knows(self) -> bool:
        """Whether it knows anybody. Costs one stat, and none from then on."""
        self.known = self.known or self.tokens.begun()
        return self.known

    def nobody(self) -> Caller:
        """Who shows nothing."""
        if self.knows() or not self._for_this_host:
            return self.anonymous
        return DEVELOPER if security.is_local(self.settings) else self.anonymous

    def caller(self) -> Caller:
        """Who sent this request. Raises Unauthenticated for credentials that are no good.

        They count only where anybody is known: a proxy in front may have a use for them of its own.
        """
        environ = asked().environ
        if LOCAL in environ:
            return COMMAND
        header, ticket = environ.get("HTTP_AUTHORIZATION"), environ.get(TICKET)
        cookie = request.cookies.get(cookie_name()) if "HTTP_COOKIE" in environ else None
        if (header is None and not cookie and ticket is None) or not self.knows():
            return self.nobody()
        if ticket is not None:
            found = self._admitted(ticket)
        else:
            found = self._logged_in(cookie or "") if header is None else self._shown(header)
        return found.at_least(self.anonymous.role)

    def _logged_in(self, cookie: str) -> Caller:
        """Whose session this is; nobody's when it is over."""
        token_id = self.sessions.token(cookie)
        token = self.tokens.good(token_id) if token_id else None
        return token.caller("session") if token else self.nobody()

    def _admitted(self, ticket: str) -> Caller:
        """Whose ticket this is."""
        token_id = self.tickets.token(ticket, request.headers.get("Referer", ""), request.remote_addr or "")
        token = self.tokens.good(token_id) if token_id else None
        if token is None:
            raise Unauthenticated("The token is unknown, over, or was given for another place.", invalid=True)
        return token.caller("token")

    def _shown(self, header: str) -> Caller:
        """Whose credentials these are."""
        scheme, _, value = header.strip().partition(" ")
        text = value.strip() if scheme.lower() == "bearer" else _password(value) if scheme.lower() == "basic" else ""
        if self.issuer and not text.startswith(PREFIX):
            return self.issuer.caller(text)
        token = self.tokens.find(text)
        if token is None:
            raise Unauthenticated("The token is unknown, revoked or expired.", invalid=True)
        return token.caller("token")


def init_app(app: Geomill) -> None:
    """Find out who asks, and refuse what he may not."""

    def check() -> None:
        request = asked()
        g.right = right = of_request(app, request)
        if right is PUBLIC:
            g.caller = app.identity.anonymous
            return
        g.caller = caller = app.identity.caller()
        if not caller.is_known_in(request.environ[TENANT]):  # whether or not there is such a tenant
            g.caller = caller = caller.elsewhere(app.identity.anonymous.role)
        if caller.name:
            loglines.about(caller=caller.name)
        if caller.by == "session" and request.method in CHANGES:
            security.refuse_foreign(app.settings)
        if not caller.may(right):
            raise refusal(app.identity, caller, right.role)

    app.before_request(check)
    app.after_request(lambda response: keep_private(app, response))


def of_request(app: Geomill, request: Request) -> Right:
    """The right that the request needs; what is nowhere is nobody's to change."""
    if request.method == "OPTIONS":  # a browser asks so before it asks, and shows nothing
        return PUBLIC
    if request.endpoint is None:
        return EXECUTE if request.method in CHANGES else PUBLIC
    return operations.right(app, request.endpoint)


def refusal(identity: Identity, caller: Caller, needed: Role) -> Exception:
    """Why a caller may not."""
    tenant = request.environ[TENANT]
    if not caller.is_known_in(tenant):
        good = " and ".join(sorted(caller.tenants or ())) or "no tenant"
        return Forbidden(f"What you showed is good for {good}, not for {tenant}; there you may what everybody may.")
    if caller.by and caller.role >= needed:
        return Forbidden("What you showed is not good for every tenant, and this tells of all of them.")
    if caller.by:
        return Forbidden(f"This needs the role {needed}; you have {caller.role}.", needed)
    if request.method in CHANGES and not identity.knows():
        return ChangesRefused(
            "This server is offered to a network and knows no callers: it only reads, until "
            "`geomill token create` made one known."
        )
    return Unauthenticated(f"This needs the role {needed}; show a token that has it.")


def keep_private(app: Geomill, response: Response) -> Response:
    """Where callers differ so do answers: no cache gives those of one to another."""
    if app.identity.known:
        response.vary.update(("Authorization", "Cookie"))
        if (caller := g.get("caller")) is not None and caller.by:
            response.cache_control.private = True
    return response


def _issuer(settings: Settings) -> Issuer | None:
    """Whose tokens count besides ours. Raises SettingsError."""
    if settings.oidc_issuer is None:
        return None
    try:
        from geomill.app.identity.oidc import Issuer
    except ImportError as error:
        raise SettingsError(f"oidc_issuer: needs the extra `oidc`: pip install 'geomill[oidc]' ({error})") from error
    return Issuer(settings)


def cookie_name() -> str:
    """What the cookie of a session is called: behind https so that no neighbour of this host can have set it."""
    return "__Host-geomill" if request.is_secure else "geomill"


def _password(credentials: str) -> str:
    """The password of Basic credentials, in which older clients send a token; under any name. RFC 7617"""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
