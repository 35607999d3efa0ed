"""geomill token: who may ask the server of a home for what."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from geomill.app import tenant_names
from geomill.app.cli import options
from geomill.app.config import Settings, SettingsError
from geomill.app.identity.audit import note
from geomill.app.identity.roles import GRANTED, Role
from geomill.app.identity.tokens import Token, TokenError, Tokens
from geomill.app.setting_kinds import SOME_SECONDS
from geomill.client import show


@click.group()
def token() -> None:
    """Make, list and revoke tokens. From the first one on the server asks for them."""


@token.command()
@click.option("--name", required=True, metavar="NAME", help="Whose it is: jobs that are made with it belong to NAME.")
@click.option("--role", required=True, type=click.Choice(GRANTED), help="What it is good for.")
@click.option("--expires", metavar="TIME", help="How long it is good, such as 90d or 12h; for ever if not given.")
@click.option("--tenant", metavar="TENANT", help="The only tenant that it is good for.")
@options.home
def create(name: str, role: str, expires: str | None, tenant: str | None, home: str | None) -> None:
    """Make a token and print it: this once, for it is kept nowhere."""
    settings = Settings.load(overrides={"home": home})
    if tenant is not None and not tenant_names.exists(settings.home, tenant, settings.tenants):
        raise SettingsError(f"--tenant: there is no tenant {tenant!r}; name it in the setting `tenants`")
    tokens = _tokens(settings)
    first = not tokens.begun()
    made = tokens.create(name, Role[role.upper()], tenant, _end(expires))
    note(settings, "createToken", name=name)
    click.echo(made)
    if first:
        told = f"From now on the server of {settings.home} asks for a token; without one it takes callers as"
        click.echo(f"{told} {settings.anonymous!r} (setting `anonymous`).", err=True)


@token.command()
@options.home
@options.as_json
def ls(home: str | None, as_json: bool) -> None:
    """List the tokens, the oldest first; what they are is not known."""
    found = Tokens(Settings.load(overrides={"home": home}).home).all()
    if as_json:
        click.echo(show.pretty([_members(each) for each in found]))
    elif found:
        click.echo(show.table(_row(each) for each in found))


@token.command()
@click.argument("name")
@options.home
def revoke(name: str, home: str | None) -> None:
    """Let the token NAME be good no more, at once, with the sessions that began with it."""
    settings = Settings.load(overrides={"home": home})
    _tokens(settings).revoke(name)
    note(settings, "revokeToken", name=name)
    click.echo(f"{name} revoked")


def _tokens(settings: Settings) -> Tokens:
    """The tokens of a home. Root changes them as the user whom the home belongs to: his server has to read them."""
    if os.geteuid() == 0 and settings.home.exists():
        owner = settings.home.stat()
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
    return Tokens(settings.home)


def _end(expires: str | None) -> datetime | None:
    if expires is None:
        return None
    try:
        return datetime.now(UTC) + timedelta(seconds=SOME_SECONDS.parse(expires, Path()))
    except (ValueError, KeyError, OverflowError):
        raise TokenError(f"--expires: expected {SOME_SECONDS.expected}, found {expires!r}") from None


def _row(each: Token) -> list[str]:
    until = show.moment(each.expires.isoformat()) if each.expires else "for ever"
    return [each.name, str(each.role), each.tenant or "every tenant", until, _state(each)]


def _members(each: Token) -> dict[str, Any]:
    times = {name: value and value.isoformat() for name, value in vars(each).items() if name in ("created", "expires")}
    return {"name": each.name, "role": str(each.role), "tenant": each.tenant, **times, "state": _state(each)}


def _state(each: Token) -> str:
    return "expired" if each.expired(datetime.now(UTC)) else "good"
