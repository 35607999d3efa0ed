"""For browsers: /login makes a session of a token, /logout ends it."""

from __future__ import annotations

import re

from flask import Blueprint, Response, g, request

from geomill.app import links, pages
from geomill.app.identity.access import cookie_name
from geomill.app.identity.callers import Caller, Unauthenticated
from geomill.app.negotiation import HTML
from geomill.app.operations import Answer, operation
from geomill.app.security import refuse_foreign
from geomill.app.server import current_app

bp = Blueprint("login", __name__)

_OURS = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")  # a path on this server, to any browser


@bp.get("/login")
@operation("showLogin", {200: Answer("A form.")}, offers=(HTML,), documented=False)
def show() -> Response:
    """A form for a token; and who is logged in."""
    try:
        caller = current_app.identity.caller()
    except Unauthenticated:
        caller = current_app.identity.anonymous
    return _page(caller)


@bp.post("/login")
@operation("login", {303: Answer("The session has begun.", media_types=())}, offers=(HTML,), documented=False)
def begin() -> Response:
    """Begin a session with a token, and go on to where the browser wanted to."""
    refuse_foreign(current_app.settings)
    identity = current_app.identity
    token = identity.tokens.find(request.form.get("token", "").strip())
    if token is None:
        return _page(identity.anonymous, wrong=True)
    g.caller = token.caller("session")
    response = _to(_following() or links.to("landing.show"))
    _set_cookie(response, identity.sessions.begin(token.id), int(identity.sessions.seconds))
    return response


@bp.post("/logout")
@operation("logout", {303: Answer("The session is over.", media_types=())}, offers=(HTML,), documented=False)
def end() -> Response:
    """End the session of this browser, and of whoever has a copy of it."""
    refuse_foreign(current_app.settings)
    current_app.identity.sessions.end(request.cookies.get(cookie_name(), ""))
    response = _to(links.to("login.show"))
    _set_cookie(response, "", 0)
    return response


def _page(caller: Caller, *, wrong: bool = False) -> Response:
    here = {"login": links.to("login.begin"), "logout": links.to("login.end"), "following": _following()}
    known = current_app.identity.knows()
    response = pages.render("login.html", 401 if wrong else 200, caller=caller, known=known, wrong=wrong, **here)
    response.cache_control.no_store = True
    return response


def _following() -> str:
    """Where the browser wanted to, if that is here; "" for what leads elsewhere."""
    asked = request.form.get("next") or request.args.get("next") or ""
    return asked if _OURS.fullmatch(asked) else ""


def _to(address: str) -> Response:
    return Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})


def _set_cookie(response: Response, value: str, seconds: int) -> None:
    """max_age: 0 makes the browser forget it. Lax: links from elsewhere find the session, changes do not."""
    response.set_cookie(
        cookie_name(), value, max_age=seconds, secure=request.is_secure, httponly=True, samesite="Lax", path="/"
    )
