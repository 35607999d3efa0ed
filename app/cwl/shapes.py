"""The types of CWL, as cwltool has them once a document is loaded: names, and names of types resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geomill.app.cwl.types import KNOWN, optional, short, text_format
from geomill.app.exchange.values import QUALIFIERS, Content

MEMBERS = QUALIFIERS | {"type"}  # of a qualified value; some write type for mediaType
OF_FILES = ("File", "Directory")

Json = Any
Type = Any  # a name, {"type": "array" | "record" | "enum", ...}, or a list of alternatives


def named(type_: Type, tool: Any) -> Type:
    """A type, the definition of it where a name was given."""
    if isinstance(type_, str):
        defined = (tool.get_requirement("SchemaDefRequirement")[0] or {}).get("types", ())
        type_ = next((each for each in defined if each["name"] == type_), type_)
    if isinstance(type_, Mapping) and isinstance(type_.get("type"), Mapping | list):
        return named(type_["type"], tool)
    return type_


def wrapped(type_: Type) -> str | None:
    """The member that holds the text, of a record that stands for text of some format."""
    return "value" if isinstance(type_, Mapping) and text_format(type_.get("name")) else None


def is_box(type_: Type) -> bool:
    """Whether a type is the bounding box of the schemas that packages import."""
    known = KNOWN.search(str(type_.get("name"))) if isinstance(type_, Mapping) else None
    return bool(known and known[2] == "BBox")


def is_plain(type_: Type, tool: Any) -> bool:
    """Whether a value of this type has no file anywhere in it."""
    type_ = named(type_, tool)
    if isinstance(type_, list):
        return all(is_plain(each, tool) for each in type_)
    if isinstance(type_, Mapping):
        inner = [type_["items"]] if "items" in type_ else [field["type"] for field in type_.get("fields", [])]
        return all(is_plain(each, tool) for each in inner)
    return type_ not in ("File", "Directory", "Any")


def box(value: dict[str, Json]) -> dict[str, Json]:
    """A bounding box as the package knows it: the CRSs of OGC, of which CRS84 is the default, by their last names."""
    crs = str(value.get("crs") or "CRS84")
    name = crs.rpartition("/")[2]
    return {**value, "crs": name if name in ("CRS84", "CRS84h") else crs}


def can_be(value: Json, type_: Type) -> bool:
    """Whether a value is of a type, as far as its kind tells."""
    kind = type_.get("type") if isinstance(type_, dict) else type_
    if isinstance(value, Content):
        return bool(kind == "File")
    of_file = isinstance(value, dict) and ({"href", "location", "path", "contents"} & set(value) or "class" in value)
    if kind in OF_FILES:
        return bool(of_file) or (isinstance(value, dict) and "value" in value and set(value) <= MEMBERS)
    if kind == "Any":
        return True
    if kind == "array":
        return isinstance(value, list)
    if kind == "record":
        fields = {short(field["name"]): field["type"] for field in type_["fields"]}
        needed = {name for name, each in fields.items() if not optional(each)}
        return isinstance(value, dict) and not of_file and needed <= set(value) <= set(fields)
    if kind == "enum":
        return value in [short(symbol) for symbol in type_["symbols"]]
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int | float):
        return kind in ("float", "double") or (kind in ("int", "long") and float(value).is_integer())
    return kind == "string" and isinstance(value, str)


def has_field(type_: Type, name: str) -> bool:
    """Whether a record has a member of its own that is called so."""
    fields = type_.get("fields", []) if isinstance(type_, dict) else []
    return any(short(field["name"]) == name for field in fields)
