"""An OGC process description, made of the process that cwltool has loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geomill.app.exchange import schema as schemas

from . import metadata
from .document import InvalidPackage, children
from .document import process as process_of
from .formats import media_types
from .needs import Needs, needs, requirement, warnings
from .types import Types, optional, short, text_format, words, written_at

if TYPE_CHECKING:
    from cwltool.process import Process

__all__ = ["Needs", "describe", "needs", "warnings"]

Json = dict[str, Any]

VERSION = "1.0.0"  # of a package that does not say


def describe(tool: Process, document: Mapping[str, Any], process_id: str) -> Json:
    """The description of a process. document: as sent, for what cwltool drops. Raises InvalidPackage."""
    process = process_of(document, str(tool.tool["id"]).rpartition("#")[2])
    found = metadata.facts(document, process)
    said = {**words(document), **words(process)}
    made: Json = {
        "id": process_id,
        "title": said.get("title") or found.get("name") or process_id,
        "description": said.get("description") or found.get("description") or "",
        "version": metadata.version(found) or VERSION,
        "keywords": metadata.keywords(found),
        "metadata": metadata.metadata(found),
    }
    made = {name: value for name, value in made.items() if value}
    made["jobControlOptions"] = ["async-execute", "dismiss"]
    made["outputTransmission"] = ["value", "reference"]
    types = Types(_named(tool))
    inputs = sorted(tool.tool["inputs"], key=written_at)
    made["inputs"] = {short(each["id"]): _input(each, types) for each in inputs}
    outputs = sorted(tool.tool["outputs"], key=written_at)
    made["outputs"] = {short(each["id"]): _output(each, types) for each in outputs}
    plain: Json = _plain(made)
    return plain


def _named(tool: Process) -> Json:
    return {each["name"]: each for each in requirement(tool, "SchemaDefRequirement")[0].get("types", ())}


def _input(described: Mapping[str, Any], types: Types) -> Json:
    schema = types.schema(described["type"], media_types(described.get("format")))
    default = _default(described.get("default"), described["type"])
    made: Json = words(described)
    if "default" in described or optional(described["type"]):
        made["minOccurs"] = 0
    if default is not None:
        if all(map(schemas.is_file, schemas.branches(schema))):
            raise InvalidPackage(f"The default of the input {short(described['id'])} must be of the class File.")
        problem = schemas.find_problem(schema, default)
        if problem:
            inside, sentence = problem
            where = f"{short(described['id'])}{'.' if inside[:1] not in ('', '[') else ''}{inside}"
            raise InvalidPackage(f"The default of the input {where} {sentence}.")
        schema["default"] = default
    return {**made, "schema": schema}


def _output(described: Mapping[str, Any], types: Types) -> Json:
    return {
        **words(described),
        "schema": types.schema(described["type"], media_types(described.get("format")), output=True),
    }


def _default(value: Any, type_: Any) -> Any:
    """A default as a client would give the value; None where it is a file, which a schema cannot hold."""
    if _holds_file(value):
        return None
    kinds = type_ if isinstance(type_, list) else [type_]
    if any(map(text_format, kinds)) and isinstance(value, dict):
        value = value.get("value")
    return _plain(value)


def _plain(value: Any) -> Any:
    """Without the numbers and texts that remember how they were written."""
    return json.loads(json.dumps(value))


def _holds_file(value: Any) -> bool:
    if isinstance(value, dict) and value.get("class") in ("File", "Directory"):
        return True
    return any(map(_holds_file, children(value)))
