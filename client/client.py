"""A server, as scripts and notebooks see it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from geomill.client import job, process
from geomill.client.errors import InputError
from geomill.client.job import Job
from geomill.client.listing import Listing
from geomill.client.process import Process
from geomill.client.reply import landing_page, origin

SERVER, TOKEN = "GEOMILL_SERVER", "GEOMILL_TOKEN"  # noqa: S105  names of variables


class Client:
    """An OGC API - Processes server, Geomill or another, by the address of its landing page.

    All methods raise ServiceError, with the `status`, `type`, `title` and `detail` of the server's answer; InputError,
    which is one, for what cannot be asked.
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, progress: bool = True) -> None:
        """url: http or https; that of the variable GEOMILL_SERVER when left out.

        token: shown to this server alone; that of GEOMILL_TOKEN when left out, unless GEOMILL_SERVER names another.
        progress: whether it is shown how jobs go, and how files are sent, while one waits.
        """
        from geomill.client.remote import Remote  # a tenth of a second that the commands need not spend

        named = os.environ.get(SERVER)
        if not (url := url or named):
            raise InputError(f"expected the address of a server, here or in the variable {SERVER}")
        url = landing_page(url)
        if token is None and (not named or origin(landing_page(named)) == origin(url)):
            token = os.environ.get(TOKEN) or None
        self._service, self._shown = Remote(url, token), progress

    @property
    def url(self) -> str:
        """Of the landing page, without a slash at the end."""
        return self._service.url

    def processes(self) -> Listing[Process]:
        """All processes."""
        found = (Process(self._service, each, shown=self._shown) for each in self._service.processes())
        return Listing(found, process.HEADS)

    def process(self, process_id: str) -> Process:
        """One process, with its description."""
        description = {"id": process_id, **self._service.describe(process_id)}
        return Process(self._service, description, shown=self._shown, described=True)

    def execute(
        self,
        process_id: str,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        outputs: Iterable[str] | Mapping[str, Any] | None = None,
        request: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Job:
        """Start a job; it has ended already where the server executes at once.

        inputs, named: inputs by their names, in a mapping, as arguments, or both. Values of JSON, numpy's, dates,
            geometries (`__geo_interface__`), bytes; a Path, or the File of another job, is the content of a file.
        outputs: names of those that are wanted, or what the standard has for `outputs`; all when left out.
        request: members of the execute request that are sent as they are, inputs among them.
        Raises InputError for what cannot be sent, and ServiceError for what the server refuses.
        """
        return self.process(process_id).execute(inputs, outputs=outputs, request=request, **named)

    def jobs(self, *, process: str | None = None, status: str | None = None, limit: int | None = 100) -> Listing[Job]:
        """Jobs in the order of the server, of one process or in one state; at most limit, all for None."""
        if limit is not None and (not isinstance(limit, int) or limit < 0):
            raise InputError(f"limit: expected a number of jobs, or None for all, found {limit!r}")
        found = self._service.jobs(sys.maxsize if limit is None else limit, processID=process, status=status)
        jobs = (Job(self._service, self._service.listed(each), each, shown=self._shown) for each in found)
        return Listing(jobs, job.HEADS)

    def job(self, name: str) -> Job:
        """The job of this id, or at this address."""
        address = self._service.job(name)
        return Job(self._service, address, self._service.look(address)[0], shown=self._shown)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"
