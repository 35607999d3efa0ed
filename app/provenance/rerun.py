"""How a crate runs again: the job order of a CWL document, the files given inline, and the README that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

from geomill.app.cwl.contents import content_of, stated_type
from geomill.app.cwl.formats import fitting
from geomill.app.cwl.types import QUALIFIED, STRING_FORMATS
from geomill.app.exchange import schema as schemas
from geomill.app.exchange.schema import Schema
from geomill.app.exchange.values import Content, Given, Reference, Several, Value

from .record import Run

Json = Any

REQUEST = "request.json"
ORDER = "inputs.json"
CWLTOOL = """That needs [cwltool](https://cwltool.readthedocs.io/) and, where the document asks for containers, an
engine for them; `--no-container` uses the programs of the host."""
TEXT_FORMATS = frozenset(STRING_FORMATS.values())  # of texts that CWL wraps into a record of one member, `value`


@dataclass
class Inline:
    """What an order names in the crate: the files that the request holds, and directories, which are not in there.

    files: in the order that they were asked for; folders: the addresses of what belongs there.
    """

    files: dict[str, Content] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)

    def name(self, input_id: str, content: Content) -> str:
        """A name for a file of an input, the one that it had in the job; the same content has the same."""
        for number in range(len(self.files) + 1):
            name = f"inputs/{content.name(input_id, number)}"
            if self.files.setdefault(name, content) is content:
                break
        return name

    def folder(self, input_id: str, href: str) -> str:
        """Where the directory of an input belongs."""
        last = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(href).path.rstrip("/").rpartition("/")[2]).lstrip(".")
        stem = re.sub(r"[^A-Za-z0-9-]", "_", input_id)[:60]
        for number in range(len(self.folders) + 1):
            name = f"inputs/{stem}{f'-{number}' if number else ''}/{last or 'directory'}"
            if self.folders.setdefault(name, href) == href:
                break
        return name


def source_name(run: Run) -> str:
    """What the content of the process is called in the crate."""
    return "document.cwl" if run.is_workflow else f"processes/{run.job.path.rpartition('/')[2]}"


def job_order(run: Run, inline: Inline) -> dict[str, Json]:
    """The inputs as cwltool takes them, files relative to the crate."""
    described = run.description.get("inputs") or {}
    order = {}
    for name, given in run.given.items():
        order[name] = _Order(name, inline, run.formats).of(given, described[name]["schema"])
    return order


@dataclass
class _Order:
    """Makes the value of one input. known: formats as in Run; field: the part of the name that the value has there."""

    name: str
    inline: Inline
    known: Mapping[str, Sequence[str]]
    field: str = ""

    @property
    def formats(self) -> Sequence[str]:
        """Those that a file may have here."""
        return self.known.get(self.name + self.field, ())

    def of(self, given: Given, schema: Schema) -> Json:
        """A value in the form that it came in."""
        match given:
            case Several(items):
                return [self.of(item, schema.get("items") or {}) for item in items]
            case Content():
                return self.file(self.inline.name(self.name, given), given.media_type)
            case Reference(href, media_type, candidates):
                return self.link(href, media_type, candidates)
            case Value(value):
                return self.value(value, schema)

    def link(self, href: str, media_type: str | None, candidates: Sequence[Schema]) -> Json:
        """What an address stands for: a directory, a file, or a value, which cwltool reads from there."""
        if any(map(schemas.is_directory, candidates)):
            return {"class": "Directory", "location": self.inline.folder(self.name, href)}
        if all(map(_is_plain, candidates)):
            text = all(schemas.merged(each).get("type") == "string" for each in candidates)
            return {"$include" if text else "$import": href}
        return self.file(href, media_type)

    def file(self, location: str, media_type: str | None) -> Json:
        """A file."""
        made = {"class": "File", "location": location}
        return {**made, "format": fitting(self.formats, media_type)} if self.formats else made

    def value(self, value: Json, schema: Schema) -> Json:
        """A value in which links and qualified values may stand for files: an array, the members of a record."""
        facts = schemas.merged(schemas.branches(schema)[0])
        if isinstance(value, list):
            return [self.value(item, facts.get("items") or {}) for item in value]
        if isinstance(value, dict):
            if isinstance(value.get("href"), str):
                return self.link(value["href"], stated_type(value), [facts])
            if "value" in value and QUALIFIED.items() <= schemas.branches(schema)[-1].items():
                content = content_of(value, self.formats)
                return self.file(self.inline.name(self.name, content), content.media_type)
            inner = facts.get("properties") or {}
            return {
                name: replace(self, field=f"{self.field}.{name}").value(member, inner.get(name) or {})
                for name, member in value.items()
            }
        if isinstance(value, str) and facts.get("type") == "string" and facts.get("format") in TEXT_FORMATS:
            return {"value": value}
        return value


def _is_plain(schema: Schema) -> bool:
    """Whether a value of an alternative is no file."""
    known = schemas.merged(schema)
    return "type" in known and not schemas.is_file(schema) and "href" not in known.get("properties", {})


def command(run: Run) -> str:
    """What runs the process again, in the folder of the crate."""
    if run.is_workflow:
        entry = f"#{run.job.entry}" if run.job.entry else ""
        return f"cwltool {quote(source_name(run) + entry)} {ORDER}"
    execute = f"geomill processes execute {quote(run.job.process_id)} --request {REQUEST}"
    return f"{execute} --processes processes --home again"


def readme(run: Run, folders: Mapping[str, str]) -> str:
    """A page about the crate, in Markdown. folders: as in Inline."""
    title = run.description.get("title") or run.job.process_id
    status = run.status.status.value + (f": {run.status.message}" if run.status.message else "")
    order = ORDER if run.is_workflow else REQUEST
    needs = CWLTOOL if run.is_workflow else "That needs Geomill and the libraries that the file imports."
    found = "".join(f"- `{name}/` with what is at <{href}>\n" for name, href in folders.items())
    first = f"\nFirst make these folders, which cwltool does not fetch:\n\n{found}" if folders else ""
    return f"""# {" ".join(title.split())}

A run of the process `{run.job.process_id}`, version {run.job.version}, as job {run.job.job_id}.
It ended as {status}

- `{source_name(run)}` is the process, `{REQUEST}` the execute request
- `results.json` and `outputs/` are what it gave, values and files
- `ro-crate-metadata.json` describes all of it ([RO-Crate](https://w3id.org/ro/crate)), `prov.json` is W3C PROV
{first}
To run it again, in this folder:

    {command(run)}

{needs}
Inputs by reference are fetched anew. Signatures and tokens were cut out of their addresses; where one was needed, put a
new one into `{order}`.
"""
