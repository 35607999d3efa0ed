"""Tokens as ArcGIS has them: /arcgis/tokens/generateToken gives one for some minutes to who has one of the server's.

Source: Esri, "Generate token" (ArcGIS Server Administrator API).
"""

from __future__ import annotations

import time
from ipaddress import ip_address
from typing import Any

from flask import Blueprint, g, request

from geomill.app import links
from geomill.app.arcgis import answers
from geomill.app.arcgis.answers import Field, Form, said
from geomill.app.errors import InvalidQuery
from geomill.app.exchange import InvalidRequest
from geomill.app.identity.tickets import LONGEST, PREFIX, TICKET, Place
from geomill.app.operations import Answer, operation
from geomill.app.server import current_app

bp = Blueprint("arcgis_tokens", __name__)

MINUTES = 60  # that a token is good for where nobody says
PLACES = ("referer", "requestip", "ip")
FIELDS = (
    Field("username", "User name", "The name of your token.", required=True),
    Field("password", "Password", "The token itself: it begins with gm_.", required=True, secret=True),
    Field("client", "Good for", "Requests of a web page, or those from an address.", "requestip", PLACES),
    Field("referer", "Web page", "What its requests say in Referer."),
    Field("ip", "Address", "Where requests come from."),
    Field("expiration", "Minutes", value=str(MINUTES)),
)


def show() -> None:
    """Move the token that a request shows to where whoever asks who sent it looks for one."""
    if not answers.is_ours():
        return
    environ = request.environ
    if "Authorization" not in request.headers and (named := request.headers.get("X-Esri-Authorization")):
        environ["HTTP_AUTHORIZATION"] = named
    scheme, _, bearer = request.headers.get("Authorization", "").strip().partition(" ")
    if text := said("token") or (bearer.strip() if bearer.strip().startswith(PREFIX) else ""):
        environ[TICKET] = text
    g.shows_token = bool(text) or scheme.lower() == "bearer"


@operation("generateToken", {200: Answer("A token.")}, offers=(), documented=False)
def generate() -> Any:
    """A token for some minutes: the user is the name of a token of this server, the password the token."""
    if request.method != "POST":
        if g.f != "html" or {"username", "password"} & set(request.args):
            raise InvalidRequest("User name and password are sent by POST, in the body: addresses are kept in logs.")
        return answers.answer(
            {}, "Generate token", forms=[Form(links.to(str(request.endpoint)), "Generate token", FIELDS)]
        )
    identity, name, password = current_app.identity, request.form.get("username", ""), request.form.get("password", "")
    token = identity.tokens.find(password)
    if token is None or token.name != name:
        g.status = 401  # for the audit log
        why = "Invalid username or password." if identity.knows() else "This server knows nobody: no token is needed."
        return answers.answer(answers.mistake(400, "Unable to generate token.", why), "Error")
    g.caller = token.caller("token")
    until = time.time() + min(_minutes() * 60, current_app.settings.session_time)
    if token.expires is not None:
        until = min(until, token.expires.timestamp())
    expires: Any = int(until) * 1000
    if answers.is_admin():
        expires = str(expires)  # as the administrator's API has it
    response = answers.answer({"token": identity.tickets.give(token.id, until, _place()), "expires": expires}, "Token")
    response.cache_control.no_store = True
    return response


for path in ("/tokens", "/tokens/generateToken", "/admin/generateToken"):
    for method in ("GET", "POST"):
        endpoint = path.strip("/").replace("/", "_")
        bp.add_url_rule(answers.PREFIX + path, endpoint, generate, methods=[method])


def information() -> dict[str, Any]:
    """Whether a token is needed here, and where it is had."""
    if not current_app.identity.knows():
        return {"isTokenBasedSecurity": False}
    where = links.to("arcgis_tokens.tokens_generateToken")
    return {"isTokenBasedSecurity": True, "tokenServicesUrl": where, "shortLivedTokenValidity": MINUTES}


def _minutes() -> int:
    text = said("expiration") or str(MINUTES)
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:10]):
        raise InvalidQuery(f"expiration: expected minutes, such as {MINUTES}, not {text!r:.40}")
    return int(text[:10])


def _place() -> Place:
    """Where the token is good."""
    referer, client = said("referer") or said("referrer"), said("client") or "referer"
    if client not in PLACES:
        raise InvalidQuery(f"client: {client!r:.40} is not one of {', '.join(PLACES)}")
    if client == "ip":
        return Place(address=_address())
    if client == "requestip" or (not referer and not said("client")):
        return Place(address=request.remote_addr or "")
    if not referer or len(referer) > LONGEST or "\n" in referer:
        raise InvalidQuery(f"referer: is needed where client is referer, of {LONGEST} characters at most")
    return Place(referer=referer)


def _address() -> str:
    """The address that requests are to come from, as a connection tells it."""
    named = said("ip")
    try:
        return str(ip_address(named[:LONGEST]))
    except ValueError:
        raise InvalidQuery(f"ip: expected an address, such as 192.0.2.1, not {named!r:.60}") from None
