"""The Flask application and the parts that its views ask."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import cast

import flask
from werkzeug.middleware.proxy_fix import ProxyFix

from geomill import processes
from geomill.app import errors, operations, security, tenancy
from geomill.app.addresses import Addresses
from geomill.app.config import Settings
from geomill.app.engine.client import Engine
from geomill.app.guard import Guard
from geomill.app.sandbox import Sandbox
from geomill.app.tenancy import Tenant, Tenants
from geomill.jobstore import JobStore
from geomill.processes.registry import Folder, Limits, Registry


class Geomill(flask.Flask):
    """An OGC API - Processes server over one home.

    jobs, engine, processes: of the tenant that the request names; outside of requests, of the default tenant.
    waiting: held by each request that waits for a synchronous job; half of the threads stay free for other requests.
    """

    def __init__(self, settings: Settings) -> None:
        """Open the home and wire the parts; nothing is started."""
        super().__init__("geomill.app", static_folder=None, instance_path=os.path.abspath(settings.home))
        self.settings = settings
        self.tenants = Tenants(settings, open_registry(settings))
        self.sandbox = Sandbox(settings)  # a mistake in the image map is found now
        self.guard = Guard(settings.allow, settings.max_fetch)
        self.waiting = threading.BoundedSemaphore(max(1, settings.threads // 2))
        self.json.sort_keys = False  # type: ignore[attr-defined]  # inputs and outputs have an order
        self.config["MAX_CONTENT_LENGTH"] = settings.max_body
        for part in (security, operations, tenancy, errors):
            part.init_app(self)
        self._register()
        self.wsgi_app = Addresses(self.wsgi_app, settings.public_url)  # type: ignore[method-assign]
        if settings.trust_proxy:
            proxied = ProxyFix(self.wsgi_app, x_for=1, x_proto=1, x_host=1, x_port=1, x_prefix=1)
            self.wsgi_app = proxied  # type: ignore[method-assign]

    @property
    def jobs(self) -> JobStore:
        """The job store."""
        return self._tenant.jobs

    @property
    def engine(self) -> Engine:
        """What starts, follows and dismisses the jobs."""
        return self._tenant.engine

    @property
    def processes(self) -> Registry:
        """The processes."""
        return self._tenant.processes

    @property
    def _tenant(self) -> Tenant:
        return cast(Tenant, flask.g.tenant) if flask.has_request_context() else self.tenants.default

    def _register(self) -> None:
        """One blueprint for each row of the resource table."""
        from geomill.app.api import BLUEPRINTS

        for blueprint in BLUEPRINTS:
            self.register_blueprint(blueprint)


def open_registry(settings: Settings) -> Registry:
    """The processes that the settings name: the shipped ones, then those of each folder. None is deployed there."""
    folders = [Folder(Path(processes.__file__).parent), *map(Folder, settings.processes)]
    defaults = Limits(seconds=settings.time_limit, grace=settings.grace)
    return Registry(folders, settings.home / "packages", settings.describe_limit, defaults)


current_app = cast(Geomill, flask.current_app)
