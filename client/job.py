"""The jobs of a server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geomill.client import notebook, show
from geomill.client.ending import successful
from geomill.client.errors import ServiceError
from geomill.client.files import Results
from geomill.client.outputs import Outputs
from geomill.client.progress import Display, Silence, display, watch, words
from geomill.client.reply import Json
from geomill.client.service import Address, Service
from geomill.client.states import is_over, percent, state

HEADS = ("job", "process", "status", "progress", "created", "message")


class Job:
    """A job of a server. id: None where the server executed the process at once and kept no job."""

    def __init__(
        self,
        service: Service,
        address: Address | None,
        status: Json | None = None,
        *,
        found: Outputs | None = None,
        shown: bool = True,
    ) -> None:
        """status: as far as it is known; found: the outputs, if they came with the answer; shown: how it goes."""
        self._service, self._address, self._found, self._shown = service, address, found, shown
        self._status = {**(status or {}), **({} if address else {"status": "successful"})}

    @property
    def id(self) -> str | None:
        """What the server calls it."""
        return self._address.job_id if self._address else None

    @property
    def url(self) -> str | None:
        """Where it is."""
        return self._address.url if self._address else None

    @property
    def info(self) -> Json:
        """Its status document, asked for anew until it has ended. Raises ServiceError."""
        if self._address is not None and not is_over(self._status):
            try:
                self._status = self._service.look(self._address)[0]
            except ServiceError:
                if self._found is None:
                    raise
                self._status["status"] = "successful"  # its results came, and it was not kept
        return dict(self._status)

    @property
    def status(self) -> str:
        """accepted, running, successful, failed or dismissed, as it is now."""
        return state(self.info)

    @property
    def progress(self) -> int | None:
        """How far it is, from 0 to 100; None where the server does not say."""
        return percent(self.info)

    @property
    def message(self) -> str | None:
        """What it says of itself, in a line."""
        return show.clean(self.info.get("message")) or None

    def wait(self, timeout: float | None = None) -> Job:
        """Wait for its end, and give it back; meanwhile it is shown how it goes.

        timeout: seconds, whether the server answers or not.
        Raises JobFailed with the reason when it was not successful, StillRunning after the timeout.
        An interrupt (Ctrl-C) leaves it running.
        """
        if self._found is None:
            address = self._known()
            try:
                self._follow(self._display(address), timeout)
            except KeyboardInterrupt:
                print(f"\nThe job goes on. To get back to it: {self._way_back(address)}", file=sys.stderr)
                raise
            successful(self._service, address, self._status)
        return self

    def results(self) -> Results:
        """Its outputs by their names; waits for its end. Raises what `wait` raises."""
        self.wait()
        found = self._found if self._found is not None else self._service.results(self._known())
        return Results(found, lambda url: self._service.fetch(url).chunks)

    def save(self, folder: str | Path) -> list[Path]:
        """Write each output to a file of its name in a folder, which is made if need be: their paths; waits, too."""
        return self.results().save(folder)

    def logs(self) -> str:
        """What it has printed so far. Raises ServiceError where the server shows no logs."""
        return self._service.log(self._known()).decode(errors="replace")

    def dismiss(self) -> Job:
        """Stop it, and give it back when it has stopped. Raises ServiceError when it has ended before."""
        self._status = self._service.dismiss(self._known())
        self._follow(Silence())
        return self

    def remove(self) -> None:
        """Delete it with its results, after its end. Raises ServiceError when it has not ended."""
        self._service.remove(self._known())

    def _follow(self, shown: Display, timeout: float | None = None) -> None:
        """Wait for its end, and know what is known of it, whatever ends the wait."""
        try:
            if not is_over(self._status):
                for status in watch(self._service, self._known(), timeout):
                    self._status = status
                    shown.show(status)
        finally:
            shown.close()

    def _known(self) -> Address:
        if self._address is None:
            raise ServiceError("the server executed the process at once, and kept no job of it")
        return self._address

    def _display(self, address: Address) -> Display:
        if not self._shown:
            return Silence()
        return notebook.Cell(address.job_id, address.url) if notebook.is_shown() else display()

    def _way_back(self, address: Address) -> str:
        name = address.job_id if self._service.job(address.job_id) == address else address.url
        return f"Client({self._service.url!r}).job({name!r})"

    def _row(self) -> Sequence[Any]:
        done, told = percent(self._status), self._status
        return (
            self.id, told.get("processID"), told.get("status"), "" if done is None else f"{done} %",
            show.moment(told.get("created")), show.short(told.get("message")),
        )  # fmt: skip

    def __repr__(self) -> str:
        known = " ".join(filter(None, (show.clean(self._status.get("processID")), show.clean(self.id))))
        said = words(self._status)
        return f"<Job {known}{said and f': {said}'}>"

    def _repr_html_(self) -> str:
        try:
            told = self.info
        except ServiceError:
            told = self._status
        return notebook.job(told, self.id or "", self.url)
