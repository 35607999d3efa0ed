"""geomill serve: the server, run by gunicorn in this process."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import click

from geomill.app.cli import options
from geomill.app.config import Settings, SettingsError


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", metavar="NUMBER", help="Port to listen on; 0 takes a free one.  [default: 8080]")
@click.option("--workers", metavar="NUMBER", help="Web worker processes.")
@click.option("--threads", metavar="NUMBER", help="Threads of a worker.")
@options.home
@options.processes
@click.option("--images", metavar="FILE", help="A TOML file that says what stands for container images on this host.")
def serve(**given: Any) -> None:
    """Start the server. Every option is a setting as well; `geomill doctor` lists them all."""
    options.need_linux()
    from geomill.app.cli.web import Web
    from geomill.app.engine.client import open_store

    settings = Settings.load(overrides=given)
    open_store(settings)  # what is wrong with the home is said here, not by a worker
    listener = listen(settings.host, settings.port)
    told = lines(settings, listener.getsockname()[1])
    Web(settings, listener, "\n".join(told)).run()


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


def lines(settings: Settings, port: int) -> list[str]:
    """Where the server is, where it keeps things, and what its settings cost."""
    from geomill.app.security import is_loopback

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    told = [
        f"Geomill listens on {settings.public_url or f'http://{host}:{port}'}/ and keeps its jobs in {settings.home}"
    ]
    if not is_loopback(settings.host):
        told.append(
            "This address is open to a network: without credentials changes are refused, so nothing can be executed."
        )
    if os.geteuid() == 0 and settings.job_user is None:
        told.append(
            "Running as root: so do the jobs, unlimited in processes and files; set GEOMILL_JOB_USER to change that."
        )
    return told
