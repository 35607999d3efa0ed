"""geomill credential: what this server says to the hosts and object stores that want to know who asks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from geomill.app import tenant_names
from geomill.app.cli import options
from geomill.app.config import Settings
from geomill.app.credentials import FILE, STYLES, Credential, CredentialError, Credentials, Pattern
from geomill.app.identity.audit import note
from geomill.client import show

tenant = click.option("--tenant", default="default", show_default=True, metavar="NAME", help="Whose it is.")
name_argument = click.argument("name", metavar="NAME")


@click.group()
def credential() -> None:
    """Add, list and remove what opens hosts and object stores to the requests of this server."""


@credential.command("add")
@name_argument
@click.option("--host", "pattern", metavar="PATTERN", help="host, *.host, https://host/path/ or s3://bucket/prefix/.")
@click.option("--bearer", is_flag=True, help="The secret is a token.")
@click.option("--basic", metavar="USER", help="The secret is the password of USER.")
@click.option("--header", metavar="HEADER", help="The secret is the value of this header.")
@click.option("--s3", metavar="KEY_ID", help="The secret is the secret access key of this access key id.")
@click.option("--anonymous", is_flag=True, help="No secret: buckets that everybody may read, at an --endpoint.")
@click.option("--session", is_flag=True, help="A second line has the session token of temporary keys.")
@click.option("--endpoint", metavar="URL", help="Where the object store is.  [default: AWS]")
@click.option("--region", metavar="REGION", help="The region of the bucket.  [default: us-east-1]")
@click.option("--style", type=click.Choice(STYLES), help="Where the bucket stands in an address.")
@tenant
@options.home
def add(name: str, pattern: str | None, **given: Any) -> None:
    """Keep a credential, in place of what has its name. The secret is read from standard input or asked for."""
    kind = _kind(given)
    if kind != "s3" and pattern is None:
        raise click.UsageError("--host: which host is it for?")
    if kind != "s3" and any(given[option] for option in ("endpoint", "region", "style", "session")):
        raise click.UsageError("--endpoint, --region, --style and --session belong to --s3")
    settings, known = _of(given)
    try:
        where = str(Pattern.parse(pattern or "s3://*"))
        secret = "" if given["anonymous"] else _secret("Secret")
        made = Credential(
            name=name,
            pattern=where,
            kind=kind,
            secret=secret,
            user=given["basic"] or given["s3"],
            header=given["header"],
            **{option: given[option] for option in ("endpoint", "region", "style")},
            session=_secret("Session token") if given["session"] else None,
        )
        known.add(made)
    except CredentialError as error:
        raise click.ClickException(str(error)) from error
    note(settings, "addCredential", name=name, tenant=given["tenant"])
    click.echo(f"{name} is for {where}, from the next request and the next job on.")


@credential.command("ls")
@tenant
@options.home
@options.as_json
def ls(as_json: bool, **given: Any) -> None:
    """List credentials, without their secrets."""
    try:
        found = _of(given)[1].all()
    except CredentialError as error:
        raise click.ClickException(str(error)) from error
    rows = [_shown(each) for each in found.values()]
    if as_json:
        click.echo(show.pretty(rows))
    elif rows:
        click.echo(show.table([row.get(key, "") for key in ("name", "kind", "pattern", "user", "at")] for row in rows))


@credential.command("rm")
@name_argument
@tenant
@options.home
def rm(name: str, **given: Any) -> None:
    """Forget a credential."""
    settings, known = _of(given)
    try:
        known.remove(name)
    except CredentialError as error:
        raise click.ClickException(str(error)) from error
    note(settings, "removeCredential", name=name, tenant=given["tenant"])


def _kind(given: dict[str, Any]) -> str:
    """The one kind that the options say."""
    said = [option for option in ("bearer", "basic", "header", "s3", "anonymous") if given[option]]
    if len(said) != 1:
        raise click.UsageError("give one of --bearer, --basic, --header, --s3 and --anonymous")
    return "s3" if said[0] == "anonymous" else said[0]


def _of(given: dict[str, Any]) -> tuple[Settings, Credentials]:
    """The settings, and the credentials of the tenant that the options name."""
    options.need_linux()
    from geomill.app.engine.client import open_store

    settings = Settings.load(overrides={"home": given["home"]})
    name = given["tenant"]
    if not tenant_names.exists(settings.home, name, settings.tenants):
        raise click.ClickException(f"There is no tenant {name!r}.")
    open_store(settings, name)
    return settings, Credentials(Path(settings.home, name, FILE))


def _secret(label: str) -> str:
    """A line of standard input, which nobody sees who can list processes."""
    if sys.stdin.isatty():
        return str(click.prompt(label, hide_input=True))
    return sys.stdin.readline().rstrip("\r\n")


def _shown(each: Credential) -> dict[str, str]:
    """What may be shown of a credential."""
    shown = {
        "name": each.name,
        "kind": each.kind,
        "pattern": each.pattern,
        "user": each.user or each.header,
        "at": each.endpoint or (f"AWS {each.region or ''}".strip() if each.kind == "s3" else None),
    }
    return {key: value for key, value in shown.items() if value}
