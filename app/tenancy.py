"""Whose jobs and processes a request is about: those of the tenant that its address names."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import g

from geomill.app import security, tenant_names
from geomill.app.addresses import TENANT
from geomill.app.asked import asked
from geomill.app.config import Settings
from geomill.app.engine.client import Engine, open_store
from geomill.app.identity.roles import Role
from geomill.app.tenant_names import DEFAULT, DEPLOYED, NoSuchTenant
from geomill.app.uploads.store import FOLDER, Uploads
from geomill.jobstore import JobStore
from geomill.processes.registry import Registry

if TYPE_CHECKING:
    from geomill.app.server import Geomill

# of a server, whatever its tenants
ANYWHERE = ("assets.show", "problems.show", "login.show", "login.begin", "login.end")
MAKING = {"POST", "PUT"}  # what makes a tenant, where that is allowed


@dataclass
class Tenant:
    """What a request to one tenant deals with."""

    jobs: JobStore
    engine: Engine
    processes: Registry
    uploads: Uploads


def open_tenant(settings: Settings, name: str, shared: Registry) -> Tenant:
    """A tenant, with its folders. shared: the processes that all tenants have."""
    jobs = open_store(settings, name)
    uploads = Uploads(settings.home / name / FOLDER, settings.keep_uploads, settings.max_uploads_per_caller)
    return Tenant(jobs, Engine(settings, jobs), shared.of(settings.home / name / DEPLOYED), uploads)


class Tenants:
    """The tenants of a home, each opened once in this process."""

    def __init__(self, settings: Settings, shared: Registry) -> None:
        """shared: the processes that all tenants have."""
        self.settings, self.shared = settings, shared
        self.default = open_tenant(settings, DEFAULT, shared)
        self._open = {DEFAULT: self.default}
        self._opening = threading.Lock()

    def get(self, name: str, *, make: bool = False) -> Tenant:
        """A tenant that is declared or has a folder; make: or any. Raises NoSuchTenant."""
        if name not in self._open:
            tenant_names.check(name)
            if not make and not tenant_names.exists(self.settings.home, name, self.settings.tenants):
                raise NoSuchTenant(
                    f"There is no tenant {name!r}. Name it in the setting `tenants`; a server for this host alone "
                    f"whose setting names none also makes it at the first POST or PUT below /{name}/ogc-api."
                )
            with self._opening:
                if name not in self._open:
                    self._open[name] = open_tenant(self.settings, name, self.shared)
        return self._open[name]

    def stores(self) -> list[JobStore]:
        """The stores of all tenants that have folders now; none is opened or made for that. Raises OSError."""
        return [self.default.jobs.of(name) for name in tenant_names.at_work(self.settings.home)]


def init_app(app: Geomill) -> None:
    """Find the tenant of every request, after what else could refuse it: nothing is made for a refused one."""

    def find() -> None:
        request = asked()
        if request.endpoint not in ANYWHERE:
            make = request.method in MAKING and request.endpoint is not None and may_make()
            g.tenant = app.tenants.get(request.environ[TENANT], make=make)

    def may_make() -> bool:
        anywhere = g.caller.role is Role.ADMIN and g.caller.tenants is None
        return anywhere and security.is_local(app.settings) and not app.settings.tenants

    app.before_request(find)
