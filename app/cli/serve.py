"""geomill serve: the server, run by gunicorn in this process."""

from __future__ import annotations

import errno
import logging
import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from geomill.app import garbage
from geomill.app.cli import options
from geomill.app.config import Settings, SettingsError, settings_file

if TYPE_CHECKING:
    from geomill.app.cli.handed import Handed
    from geomill.app.cli.web import Web


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", metavar="NUMBER", help="Port to listen on; 0 takes a free one.  [default: 8080]")
@click.option("--workers", metavar="NUMBER", help="Web worker processes.")
@click.option("--threads", metavar="NUMBER", help="Threads of a worker.")
@options.home
@options.processes
@click.option("--images", metavar="FILE", help="A TOML file that says what stands for container images on this host.")
@click.option("--check", is_flag=True, help="Look whether it could serve, and leave.")
def serve(check: bool, **given: Any) -> None:
    """Start the server. Every option is a setting as well; `geomill doctor` lists them all."""
    options.need_linux()
    with garbage.put_off():
        web = _made(check, given)
    if web:
        web.run()


def _made(check: bool, given: dict[str, Any]) -> Web | None:
    """What is to serve, or nothing after a look at whether it could. given: settings. Raises SettingsError."""
    from geomill.app.cli.handed import Handed
    from geomill.app.engine import starting
    from geomill.app.engine.client import Engine, open_store
    from geomill.jobstore import files, home
    from geomill.jobstore.alive import boot_id

    os.umask(files.UMASK)
    handed = Handed.take()
    settings = Settings.load(overrides=given)
    is_new = not (settings.home / home.MARK).exists()
    store = open_store(settings)  # what is wrong with the home is said here, not by a worker
    try:
        home.beat(settings.home, boot_id(), now=True)
    except FileNotFoundError:
        raise SettingsError(f"{settings.home}: it is not there, and a server of it waits for its disk") from None
    if check and not handed:  # a server may be listening there, and well
        _try(settings)
        if is_new:  # or its disk is not there
            click.echo(f"Note: {settings.home} is a new home, with no job and no token.")
        look(settings)
        return None
    listener = _listener(handed, settings)
    if check:
        _try(settings)
        return None
    others = Engine(settings, store).is_of_others()
    if not handed:
        starting.begin(settings)
    told = _told(settings, listener.getsockname()[1])
    if others:
        told.append(
            "Jobs of this home were started by another version or under other settings; from now on these count, for "
            "every server of this home."
        )
    from geomill.app.cli.log import announce
    from geomill.app.cli.web import Web

    welcome = partial(announce, settings, settings_file(), told)
    return Web(settings, listener, welcome, handed.workers if handed else ())


def _try(settings: Settings) -> None:
    """Make what a worker makes. Raises SettingsError."""
    from geomill.app import create_app

    create_app(settings)


def _told(settings: Settings, port: int) -> list[str]:
    """What there is to say when it begins. Raises SettingsError for what it says on how callers are known."""
    from geomill.app.health import short_of_room
    from geomill.app.identity.access import Identity
    from geomill.app.identity.tokens import TokenError
    from geomill.jobstore.admission import free

    identity = Identity(settings)
    told = lines(settings, port, knows=identity.knows())
    try:
        identity.tokens.check()
    except TokenError as error:
        told.append(f"No token is known: {error}.")
    if shortage := short_of_room(settings, *free(settings.home)):
        told.append(f"{settings.home}: {shortage}")
    return told


def look(settings: Settings) -> None:
    """Say what an operator wants to know before he starts.

    Status 1 for process files that are none, and where no job would be accepted.
    """
    from geomill.app.health import short_of_room
    from geomill.app.identity.access import Identity
    from geomill.app.security import for_this_host
    from geomill.app.server import open_registry
    from geomill.client import show
    from geomill.jobstore.admission import free
    from geomill.processes import registry

    logging.getLogger(registry.__name__).setLevel(logging.ERROR)  # what is broken is said here
    wrong = [show.clean(str(each)) for each in open_registry(settings).broken()]
    if shortage := short_of_room(settings, *free(settings.home)):
        wrong.append(f"{settings.home}: {shortage}")
    for text in wrong:
        click.echo(f"Error: {text}", err=True)
    if for_this_host(settings) and not Identity(settings).knows():
        click.echo(
            f"Note: whoever reaches {settings.host} port {settings.port} on this host may do everything, until "
            "`geomill token create` has made a token."
        )
    if wrong:
        raise click.exceptions.Exit(1)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to host and port. Raises SettingsError at once, where gunicorn would try for seconds."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)  # at once: two sockets may be bound to an address that nobody listens on
    except OSError as error:
        taken = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror}{taken}") from error
    return listener


def _listener(handed: Handed | None, settings: Settings) -> socket.socket:
    """The socket of the server's earlier life, if it listens where it is to; else a new one."""
    if handed:
        listener = handed.socket()
        if _is_at(listener, settings):
            return listener
        listener.close()
    return listen(settings.host, settings.port)


def _is_at(listener: socket.socket, settings: Settings) -> bool:
    """Whether a socket listens where the settings want it; any port is a free one."""
    try:
        expected = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return False  # listen() says what is wrong
    here = listener.getsockname()
    return listener.family == expected[0] and here[0] == expected[4][0] and settings.port in (0, here[1])


def lines(settings: Settings, port: int, *, knows: bool = False) -> list[str]:
    """Where the server is, where it keeps things, and what its settings cost. knows: it has tokens."""
    from geomill.app.security import for_this_host, is_loopback

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    told = [f"Geomill listens on http://{host}:{port}/ and keeps its jobs in {settings.home}"]
    if settings.public_url:
        told.append(f"Others find it at {settings.public_url.rstrip('/')}/")
    if not for_this_host(settings) and not knows and settings.anonymous != "executor":
        told.append("It is offered to a network: changes are refused until `geomill token create` made a token.")
    if not is_loopback(settings.host) and not (settings.public_url or "").startswith("https:"):
        told.append("Tokens travel in the clear on this address, unless a proxy in front of it encrypts.")
    if os.geteuid() == 0 and settings.job_user is None:
        told.append("Running as root: so do the jobs, with all rights; set GEOMILL_JOB_USER to change that.")
    return told
