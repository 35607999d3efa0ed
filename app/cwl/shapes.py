"""The types of CWL, as cwltool has them once a document is loaded: names, and names of types resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geomill.app.cwl.types import text_format

Type = Any  # a name, {"type": "array" | "record" | "enum", ...}, or a list of alternatives


def named(type_: Type, tool: Any) -> Type:
    """A type, the definition of it where a name was given."""
    while isinstance(type_, str) and type_ in tool.schemaDefs:
        type_ = tool.schemaDefs[type_]
    if isinstance(type_, Mapping) and isinstance(type_.get("type"), Mapping | list):
        return named(type_["type"], tool)
    return type_


def wrapped(type_: Type) -> str | None:
    """The member that holds the text, of a record that stands for text of some format."""
    return "value" if isinstance(type_, Mapping) and text_format(type_.get("name")) else None


def is_plain(type_: Type, tool: Any) -> bool:
    """Whether a value of this type has no file anywhere in it."""
    type_ = named(type_, tool)
    if isinstance(type_, list):
        return all(is_plain(each, tool) for each in type_)
    if isinstance(type_, Mapping):
        inner = [type_["items"]] if "items" in type_ else [field["type"] for field in type_.get("fields", [])]
        return all(is_plain(each, tool) for each in inner)
    return type_ not in ("File", "Directory", "Any")
