"""Servers that know somebody: tokens of every role, and jobs of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from api.conftest import CheckedClient, app, client, packages, settings, worker, working
from flask.testing import FlaskClient
from support.stores import create

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.server import Geomill

__all__ = ["app", "client", "packages", "settings", "worker", "working"]  # fixtures of the API's tests

Make = Callable[..., str]
Start = Callable[..., Geomill]
ASYNC = {"Prefer": "respond-async"}
HELLO: dict[str, Any] = {"inputs": {"echoInput": "hello"}}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def tokens(settings: Settings) -> Tokens:
    return Tokens(settings.home)


@pytest.fixture
def make(tokens: Tokens) -> Make:
    """Make a token: make("ann", Role.READER, tenant=None, expires=None)."""

    def of(name: str, role: Role = Role.EXECUTOR, tenant: str | None = None, expires: datetime | None = None) -> str:
        return tokens.create(name, role, tenant, expires)

    return of


@pytest.fixture
def start(settings: Settings) -> Start:
    """An application over the home, with these settings: as another worker, or after a restart."""

    def application(**changed: Any) -> Geomill:
        app = create_app(replace(settings, **changed))
        app.test_client_class = CheckedClient
        return app

    return application


def job_of(client: FlaskClient, owner: str, tenant: str = "default") -> str:
    """The id of a job that nothing starts."""
    assert isinstance(client.application, Geomill)
    return create(client.application.tenants.get(tenant).jobs, durable=False, owner=owner)
