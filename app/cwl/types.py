"""CWL types as the schemas of a process description.

They are in the dialect of OGC 18-062r2 (OpenAPI 3.0), as processes.description writes it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from math import inf
from typing import Any

from geomill.app.exchange.media_types import is_json, is_text
from geomill.processes.description import BBOX_SCHEMA

from .document import InvalidPackage

Json = dict[str, Any]

PLAIN: Mapping[str, Json] = {
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "Any": {},
    "null": {"enum": [None], "nullable": True},
}
# the types that packages import from https://github.com/eoap/schemas, also after cwltool has packed them
KNOWN = re.compile(r"[/#](ogc|ogc-bbox|geojson|stac|string_format)\.yaml[#/](\w+)$")
STRING_FORMATS = {
    "Date": "date",
    "DateTime": "date-time",
    "Time": "time",
    "Duration": "duration",
    "Email": "email",
    "IDNEmail": "idn-email",
    "Hostname": "hostname",
    "IDNHostname": "idn-hostname",
    "IPv4": "ipv4",
    "IPv6": "ipv6",
    "IRI": "iri",
    "IRIReference": "iri-reference",
    "URI": "uri",
    "URIReference": "uri-reference",
    "URITemplate": "uri-template",
    "JsonPointer": "json-pointer",
    "RelativeJsonPointer": "relative-json-pointer",
    "UUID": "uuid",
    "Password": "password",
}
GEOMETRIES = "Point MultiPoint LineString MultiLineString Polygon MultiPolygon GeometryCollection".split()
OBJECTS = {
    ("geojson", "Feature"): "geojson-feature",
    ("geojson", "FeatureCollection"): "geojson-feature-collection",
    ("stac", "Item"): "stac-item",
    ("stac", "Collection"): "stac-collection",
    ("stac", "Catalog"): "stac-catalog",
}
LINK: Json = {
    "type": "object",
    "required": ["href"],
    "properties": {"href": {"type": "string", "format": "uri"}, "type": {"type": "string"}},
}
QUALIFIED: Json = {
    "type": "object",
    "required": ["value"],
    "properties": {"value": {}, "encoding": {"type": "string"}, "mediaType": {"type": "string"}},
}
# the packages that import it name its reference system in short, and compare it so
BOX = copy.deepcopy(BBOX_SCHEMA)
BOX["allOf"][0]["properties"]["crs"].pop("format")
# has no member of its own, so that an href in a value is read as a reference
DIRECTORY: Json = {"type": "object", "format": "directory", "required": ["href"]}
STAC_OBJECT: Json = {
    "required": ["type", "stac_version", "id"],
    "properties": {name: {"type": "string"} for name in ("type", "stac_version", "id")},
}
LISTING: Json = {
    "title": "A list of links to the files of the directory",
    "type": "object",
    "required": ["links"],
    "properties": {"links": {"type": "array", "items": LINK}},
}
STAC: Json = {"title": "The items of a STAC catalog", "type": "object", "format": "geojson-feature-collection"}


class Types:
    """Makes schemas of the types of one process."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        """named: the types that the process declares or imports, by their resolved names."""
        self.named = named

    def schema(self, type_: Any, media: tuple[str, ...] = (), output: bool = False) -> Json:
        """The schema of an input or output. media: the types of its files. Raises InvalidPackage."""
        return _Conversion(self.named, media, output).of(type_)


class _Conversion:
    def __init__(self, named: Mapping[str, Any], media: tuple[str, ...], output: bool) -> None:
        self.named = named
        self.media = media
        self.output = output
        self.open: list[str] = []

    def of(self, type_: Any, inside: bool = False) -> Json:
        """inside: the value is a part of another, where a file can only be a link or a qualified value."""
        if isinstance(type_, list):
            return self.union(type_, inside)
        if isinstance(type_, str):
            return self.name(type_, inside)
        kind = type_.get("type") if isinstance(type_, dict) else None
        if kind == "array":
            # files right in the array may be given in any form
            return {"type": "array", "items": self.of(type_["items"], inside or type_["items"] != "File")}
        if kind == "enum":
            return {"type": "string", "enum": [short(symbol) for symbol in type_["symbols"]]}
        if kind == "record":
            return self.record(type_)
        if kind is not None:
            return self.of(kind, inside)
        raise InvalidPackage(f"{type_!r} is no type.")

    def name(self, name: str, inside: bool) -> Json:
        if name in PLAIN:
            return dict(PLAIN[name])
        if name in ("File", "stdin", "stdout", "stderr"):
            return copy.deepcopy({"oneOf": [LINK, QUALIFIED]}) if inside else file(self.media)
        if name == "Directory":
            return copy.deepcopy({"anyOf": [STAC, LISTING]} if self.output else DIRECTORY)
        known = KNOWN.search(name)
        special = _known(known[1], known[2]) if known else None
        if special:
            return special
        if name not in self.named:
            raise InvalidPackage(f"The type {name.removeprefix('file:///package.cwl')} is not in the package.")
        if name in self.open:
            raise InvalidPackage(f"The type {short(name)} contains itself, which cannot be described.")
        self.open.append(name)
        made = self.of(self.named[name], inside)
        self.open.pop()
        return made

    def union(self, types: list[Any], inside: bool) -> Json:
        """`oneOf` where the type tells the branches apart, else `anyOf`, which a value may fit twice."""
        if not types:
            raise InvalidPackage("A list of types is empty: a value could be nothing at all.")
        kinds = [each for each in types if each != "null"] or ["null"]
        # text is more often itself than the content of a file
        kinds.sort(key=lambda each: each in ("File", "Directory"))
        if len(kinds) == 1:
            made = self.of(kinds[0], inside)
        else:
            branches = [self.of(each, inside or each != "File") for each in kinds]
            told = ["number" if each.get("type") == "integer" else each.get("type") for each in branches]
            made = {"oneOf" if None not in told and len(set(told)) == len(told) else "anyOf": branches}
        return {**made, "nullable": True} if "null" in types and made else made

    def record(self, type_: Any) -> Json:
        made: Json = {"type": "object", "properties": {}}
        required = []
        for field in sorted(type_.get("fields") or (), key=written_at):
            name = short(field["name"])
            made["properties"][name] = {**words(field), **self.of(field["type"], inside=True)}
            if not optional(field["type"]):
                required.append(name)
        return {**made, "required": required} if required else made


def file(media: tuple[str, ...]) -> Json:
    """The schema of a file: its content as text where that is what it is, else in base64."""
    branches: list[Json] = []
    for each in media:
        binary = {} if is_text(each) or is_json(each) else {"contentEncoding": "binary"}
        branches.append({"type": "string", **binary, "contentMediaType": each})
    if not branches:
        return {"type": "string", "contentEncoding": "binary"}
    return branches[0] if len(branches) == 1 else {"oneOf": branches}


def optional(type_: Any) -> bool:
    """Whether a value may be left out."""
    return type_ == "null" or (isinstance(type_, list) and "null" in type_)


def words(described: Mapping[str, Any]) -> Json:
    """Title and description, from `label` and `doc`."""
    doc = described.get("doc")
    text = "\n".join(map(str, doc)) if isinstance(doc, list) else doc
    made = {"title": described.get("label"), "description": text}
    return {name: str(value).strip() for name, value in made.items() if value and str(value).strip()}


def short(name: str) -> str:
    """The last part of a resolved name, as cwltool takes it: of `file:///x.cwl#main/bands/green`, green."""
    return name.rpartition("#")[2].rpartition("/")[2]


def written_at(part: Any) -> tuple[float, ...]:
    """Line and column of an input, an output, a field or a step: cwltool sorts those that are given as a map."""
    known = part.lc.data if hasattr(part, "lc") else {}
    return tuple((known.get("id") or known.get("name") or (inf, inf))[:2])


def text_format(type_: Any) -> bool:
    """Whether a type is text that CWL wraps into a record of one member, `value`."""
    known = KNOWN.search(type_) if isinstance(type_, str) else None
    return bool(known and known[1] == "string_format" and known[2] in STRING_FORMATS)


def _known(schema: str, name: str) -> Json | None:
    if name == "BBox" and schema.startswith("ogc"):
        return copy.deepcopy(BOX)
    if schema == "string_format" and name in STRING_FORMATS:
        return {"type": "string", "format": STRING_FORMATS[name]}
    if schema == "geojson" and name in GEOMETRIES:
        type_ = {"type": {"type": "string", "enum": [name]}}
        return {"type": "object", "format": "geojson-geometry", "required": ["type"], "properties": type_}
    code = OBJECTS.get((schema, name))
    if code is None:
        return None
    return {"type": "object", "format": code, **(copy.deepcopy(STAC_OBJECT) if schema == "stac" else {})}
