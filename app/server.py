"""The Flask application and the parts that its views ask."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

import flask
from werkzeug.middleware.proxy_fix import ProxyFix

from geomill import processes
from geomill.app import errors, loglines, operations, pages, request_ids, security, tenancy
from geomill.app.access import Watched, open_guard
from geomill.app.addresses import Addresses
from geomill.app.config import Settings
from geomill.app.credentials import FILE as CREDENTIALS
from geomill.app.engine.client import Engine
from geomill.app.guard import Guard
from geomill.app.health import Readiness
from geomill.app.identity import access, auditing, owners
from geomill.app.identity.access import Identity
from geomill.app.identity.audit import Audit, path_of
from geomill.app.inlining import Inlining
from geomill.app.job_texts import JobTexts
from geomill.app.metrics import requests
from geomill.app.metrics.requests import Requests
from geomill.app.sandbox import Sandbox
from geomill.app.seats import Seats
from geomill.app.tenancy import Tenant, Tenants
from geomill.app.uploads.store import Uploads
from geomill.app.written import Written
from geomill.jobstore import JobStore
from geomill.processes.registry import Folder, Limits, Registry


class Geomill(flask.Flask):
    """An OGC API - Processes server over one home.

    jobs, engine, processes, uploads: of the tenant that the request names; outside of requests, of the default tenant.
    inlining: what answers hold of files at the moment; written: documents as they are sent;
    seats: one for each request that waits for a synchronous job; half of the threads stay free for other requests;
    requests: what was asked, counted; readiness: whether jobs would be accepted and started;
    job_texts: documents of jobs, for lists.
    """

    def __init__(self, settings: Settings) -> None:
        """Open the home and wire the parts; nothing is started."""
        super().__init__("geomill.app", static_folder=None, instance_path=os.path.abspath(settings.home))
        loglines.init_app(settings.log_format)
        self.settings = settings
        self.tenants = Tenants(settings, open_registry(settings))
        self.sandbox = Sandbox(settings)  # a mistake in the image map is found now
        self.identity = Identity(settings)
        self.audit = Audit(path_of(settings))
        self.credentials = Watched()
        self.requests = Requests(self)
        self.seats = Seats(max(1, settings.threads // 2), noted=self.requests.seated)
        self.readiness = Readiness(settings, self.tenants)
        self.inlining = Inlining()
        self.written = Written()
        self.job_texts = JobTexts()
        self.json.sort_keys = False  # type: ignore[attr-defined]  # inputs and outputs have an order
        self.config["MAX_CONTENT_LENGTH"] = settings.max_body
        self.config["KEEP"] = settings.keep
        self._register()
        self.wsgi_app = Addresses(self.wsgi_app, settings.public_url)  # type: ignore[method-assign]
        if settings.trust_proxy:
            proxied = ProxyFix(self.wsgi_app, x_for=1, x_proto=1, x_host=1, x_port=1, x_prefix=1)
            self.wsgi_app = proxied  # type: ignore[method-assign]

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Called by Flask for all that a request passes through; nothing here is a coroutine."""
        return func

    @cached_property
    def path_of(self) -> Callable[[str, tuple[tuple[str, str | int | None], ...]], str]:
        """What gives the path of a view below the landing page, by its endpoint and the values in it."""
        build = self.url_map.bind("").build
        return lru_cache(4096)(lambda endpoint, values: build(endpoint, dict(values)))

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
    def uploads(self) -> Uploads:
        """The files that callers sent."""
        return self._tenant.uploads

    @property
    def guard(self) -> Guard:
        """What fetches, with the credentials that the tenant has now."""
        self.credentials.look(self.settings.home / self.jobs.tenant / CREDENTIALS)
        return open_guard(self.settings, self.jobs.tenant)

    @property
    def _tenant(self) -> Tenant:
        return cast(Tenant, flask.g.tenant) if flask.has_request_context() else self.tenants.default

    def _register(self) -> None:
        """What sees every request, in this order, and one blueprint for each row of the resource table."""
        from geomill.app import arcgis
        from geomill.app.api import BLUEPRINTS

        faces = [arcgis] if self.settings.arcgis else []
        errors.init_app(self)  # a face may tell those of its own addresses in its own way
        for part in (requests, request_ids, auditing, security, *faces, access, operations, tenancy, owners, pages):
            part.init_app(self)
        for blueprint in BLUEPRINTS:
            self.register_blueprint(blueprint)


def open_registry(settings: Settings) -> Registry:
    """The processes that the settings name: the shipped ones, then those of each folder. None is deployed there."""
    folders = [Folder(Path(processes.__file__).parent), *map(Folder, settings.processes)]
    return Registry(folders, settings.home / "packages", settings.describe_limit, limits_of_jobs(settings))


def limits_of_jobs(settings: Settings) -> Limits:
    """What any job may use."""
    return Limits(
        seconds=settings.time_limit,
        grace=settings.grace,
        cpu_seconds=settings.cpu_limit,
        memory_limit=min(settings.memory_limit or settings.memory, settings.memory),
        processes=settings.max_processes,
        files=settings.max_files,
        work=settings.max_work,
        work_files=settings.max_work_files,
        output=settings.max_output,
    )


current_app = cast(Geomill, flask.current_app)
