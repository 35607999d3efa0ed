"""The processes of a server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from geomill.client import inputs, notebook, show
from geomill.client.errors import InputError
from geomill.client.job import Job
from geomill.client.links import link_to
from geomill.client.reply import Json
from geomill.client.sending import sender
from geomill.client.service import Service


class Description(dict[str, Any]):
    """The description of a process as the server gave it; it shows itself in words."""

    def __repr__(self) -> str:
        return show.process(self)

    def _repr_html_(self) -> str:
        version, title = notebook.text(self.get("version")), notebook.text(self.get("title"))
        html = [f"<h4>{notebook.text(self.get('id'))} {version}</h4><p><b>{title}</b></p>"]
        html += [f"<p>{notebook.text(self['description'])}</p>"] if self.get("description") else []
        for side in ("inputs", "outputs"):
            if rows := show.ports(self, side):
                html.append(notebook.table((side, "", ""), rows))
        return "".join(html)


class Process:
    """A process of a server. id, title, version: of its description, empty where the server gives none."""

    def __init__(self, service: Service, summary: Json, *, shown: bool, described: bool = False) -> None:
        """summary: as in a list, or the whole description; shown: how its jobs go, while one waits for them."""
        self._service, self._summary, self._shown = service, summary, shown
        self._description = Description(summary) if described else None
        self.id, self.title, self.version = (show.clean(summary.get(name)) for name in ("id", "title", "version"))

    def description(self) -> Description:
        """What it takes and gives; asked for once. Raises ServiceError."""
        if self._description is None:
            self._description = Description(self._service.describe(str(self._summary.get("id"))))
        return self._description

    def execute(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        outputs: Iterable[str] | Mapping[str, Any] | None = None,
        request: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Job:
        """Start a job of this process, as `Client.execute` does."""
        if not isinstance(inputs, Mapping | None):
            raise InputError(f"expected inputs by their names, in a mapping, found {type(inputs).__qualname__}")
        description = self.description()
        send = sender(self._service, shown=self._shown)
        body = _request({**(inputs or {}), **named}, description, outputs, request, send)
        process_id = str(description.get("id") or self._summary.get("id"))
        at = link_to(description, "execute", f"{self._service.url}/")
        address, found = self._service.execute(process_id, body, wait=False, at=at)
        return Job(self._service, address, {"processID": process_id}, found=found, shown=self._shown)

    def _row(self) -> Sequence[Any]:
        return self.id, self.version, self.title

    def __repr__(self) -> str:
        return f"<Process {' '.join(filter(None, (self.id, self.version)))}{self.title and f': {self.title}'}>"

    def _repr_html_(self) -> str:
        return Description(self._description or self._summary)._repr_html_()


HEADS = ("process", "version", "title")


def _request(
    given: Mapping[str, Any],
    description: Json,
    outputs: Iterable[str] | Mapping[str, Any] | None,
    request: Mapping[str, Any] | None,
    send: inputs.Send,
) -> Json:
    """An execute request. Raises InputError."""
    if not isinstance(request, Mapping | None):
        raise InputError(f"request: expected members of a request, in a mapping, found {type(request).__qualname__}")
    body = {"response": "document", **(request or {})}
    before = body.get("inputs", {})
    if not isinstance(before, Mapping):
        raise InputError("request: expected inputs by their names, in a mapping")
    body["inputs"] = {**before, **inputs.encode(given, description, send)}
    if outputs is not None:
        body["outputs"] = dict(outputs) if isinstance(outputs, Mapping) else _wanted(outputs, description)
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:  # of what is sent as it stands
        raise InputError(f"request: is no JSON: {error}") from error
    return body


def _wanted(names: Iterable[str], description: Json) -> Json:
    listed = [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else [names]
    if strange := [name for name in listed if not isinstance(name, str)]:
        raise InputError(f"outputs: expected names, which are texts, found {strange[0]!r}")
    wanted: Json = {name: {} for name in listed}
    known = description.get("outputs")
    if isinstance(known, dict) and known and (strange := sorted(set(wanted) - set(known))):
        raise InputError(f"{strange[0]}: the process has no such output; there are {', '.join(map(str, known))}")
    return wanted
