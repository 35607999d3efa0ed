"""How a crate runs again: the job order of a CWL document, the files given inline, and the README that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

from geomill.app.exchange import schema as schemas
from geomill.app.exchange.media_types import extension
from geomill.app.exchange.values import Content, Given, Reference, Several, Value

from .record import Run

Json = Any

REQUEST = "request.json"
ORDER = "inputs.json"


@dataclass
class Inline:
    """The files that a request holds, by their names in the crate, in the order that they were asked for."""

    files: dict[str, Content] = field(default_factory=dict)

    def name(self, input_id: str, content: Content) -> str:
        """A name for a file of an input; the same file of the same input has the same."""
        stem = re.sub(r"[^A-Za-z0-9-]", "_", input_id)[:60]
        for number in range(len(self.files) + 1):
            name = f"inputs/{stem}{f'-{number}' if number else ''}{extension(content.media_type)}"
            if self.files.setdefault(name, content) is content:
                break
        return name


def source_name(run: Run) -> str:
    """What the content of the process is called in the crate."""
    return "document.cwl" if run.is_workflow else f"processes/{run.job.path.rpartition('/')[2]}"


def job_order(given: Mapping[str, Given], inline: Inline) -> dict[str, Json]:
    """The inputs as cwltool takes them, files relative to the crate."""
    return {name: _ordered(name, each, inline) for name, each in given.items()}


def _ordered(name: str, given: Given, inline: Inline) -> Json:
    match given:
        case Several(items):
            return [_ordered(name, item, inline) for item in items]
        case Content():
            return {"class": "File", "location": inline.name(name, given)}
        case Reference(href, _, candidates):
            kind = "Directory" if all(map(schemas.is_directory, candidates)) else "File"
            return {"class": kind, "location": href}
        case Value(value):
            return _nested(value)


def _nested(value: Json) -> Json:
    """A value in which links stand for files: the members of a record."""
    if isinstance(value, list):
        return [_nested(item) for item in value]
    if isinstance(value, dict) and isinstance(value.get("href"), str):
        return {"class": "File", "location": value["href"]}
    return {name: _nested(item) for name, item in value.items()} if isinstance(value, dict) else value


def command(run: Run) -> str:
    """What runs the process again, in the folder of the crate."""
    if run.is_workflow:
        return f"cwltool {quote(f'{source_name(run)}#{run.job.entry}')} {ORDER}"
    execute = f"geomill processes execute {quote(run.job.process_id)} --request {REQUEST}"
    return f"{execute} --processes processes --home again"


def readme(run: Run) -> str:
    """A page about the crate, in Markdown."""
    title = run.description.get("title") or run.job.process_id
    status = run.status.status.value + (f": {run.status.message}" if run.status.message else "")
    order = ORDER if run.is_workflow else REQUEST
    needs = (
        "That needs [cwltool](https://cwltool.readthedocs.io/) and,\nwhere the document asks for containers, an engine "
        "for them (`--no-container` uses the programs of the host)."
        if run.is_workflow
        else "That needs Geomill and the libraries that the file imports."
    )
    return f"""# {" ".join(title.split())}

A run of the process `{run.job.process_id}`, version {run.job.version}, as job {run.job.job_id}.
It ended as {status}

- `{source_name(run)}` is the process, `{REQUEST}` the execute request
- `results.json` and `outputs/` are what it gave, values and files
- `ro-crate-metadata.json` describes all of it ([RO-Crate](https://w3id.org/ro/crate)), `prov.json` is W3C PROV

To run it again, in this folder:

    {command(run)}

{needs}
Inputs by reference are fetched anew. Signatures and tokens were cut out of their addresses; where one was needed, put a
new one into `{order}`.
"""
