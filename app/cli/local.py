"""The service over a home on this host: the server's own views, called in this process without a socket.

So a job that a command makes is the job that a request would have made. Results and logs are read where they lie.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from werkzeug.test import Client

from geomill.app import create_app
from geomill.app.addresses import of_tenant
from geomill.app.config import Settings
from geomill.app.identity.access import LOCAL
from geomill.app.tenant_names import DEFAULT
from geomill.client import ServiceError
from geomill.client.outputs import Items, Output, Outputs
from geomill.client.reply import Reply
from geomill.client.service import Address, Body, Service
from geomill.jobstore import (
    JobCorrupt,
    JobExpired,
    JobFailed,
    JobStore,
    NoSuchJob,
    Result,
    ResultNotAvailable,
    ResultNotReady,
)
from geomill.processes import registry


class Local(Service):
    """The jobs and processes of a tenant of one home."""

    def __init__(self, settings: Settings, tenant: str = DEFAULT) -> None:
        """settings: their host has to be a loopback one; tenant: one that there is."""
        self._host = f"http://127.0.0.1:{settings.port}"
        super().__init__(self._host if tenant == DEFAULT else of_tenant(self._host, tenant))
        self._app = create_app(settings)
        self._tenant = self._app.tenants.get(tenant)
        self._store: JobStore = self._tenant.jobs
        self._client = Client(self._app)
        logging.getLogger(registry.__name__).setLevel(logging.ERROR)  # what is broken is said by the commands

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None, within: float | None = None
    ) -> Reply:
        """One request to the views of this process, which answer when they do."""
        if not url.startswith(f"{self.url}/"):
            raise ServiceError(f"{url}: not a part of this home")
        reply = self._client.open(
            url.removeprefix(self._host),
            method=method,
            base_url=self._host,
            headers=dict(headers),
            data=body if isinstance(body, bytes) else None,
            input_stream=None if isinstance(body, bytes) else body,
            environ_overrides={LOCAL: True},  # who can write to the home needs no leave
        )
        sent = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(reply.status_code, sent, reply.iter_encoded(), url)

    def broken(self) -> list[str]:
        """Files that should be processes and are not, and why."""
        return [str(each) for each in self._tenant.processes.broken()]

    def submit(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Submit a job, and see that somebody starts it."""
        self._tenant.engine.serve(insist=False)
        return super().submit(url, headers, body)

    def retry(self, job: Address) -> Address:
        """Repeat a job, and see that somebody starts it."""
        self._tenant.engine.serve(insist=False)
        return super().retry(job)

    def results(self, job: Address) -> Outputs:
        """The outputs of a successful job; files by where they lie."""
        try:
            found = self._store.results(job.job_id)
            return {name: self._items(job, name, result) for name, result in found.items()}
        except (JobCorrupt, JobExpired, JobFailed, NoSuchJob, ResultNotAvailable, ResultNotReady) as error:
            raise ServiceError(str(error)) from error

    def log(self, job: Address, start: int = 0) -> bytes:
        """What the job has printed, from byte `start` on."""
        try:
            with open(self._store.log(job.job_id), "rb") as file:
                file.seek(start)
                return file.read()
        except FileNotFoundError:
            return b""
        except NoSuchJob as error:
            raise ServiceError(f"No such job: {error}") from error
        except JobExpired as error:
            raise ServiceError(str(error)) from error

    def _items(self, job: Address, name: str, result: Result) -> Items:
        if result.items is not None and result.file is None:
            return [self._items(job, f"{name}.{number}", item) for number, item in enumerate(result.items, 1)]
        if result.file is not None:
            path = self._store.output(job.job_id, result.file)
            return Output(name, path=path, media_type=result.media_type)
        return Output(name, value=result.value, media_type=result.media_type)
